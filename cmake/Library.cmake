# libmodelmeter: one shared library of the folders of src/, its headers and a CMake package.
#
#   find_package(modelmeter REQUIRED)
#   target_link_libraries(program PRIVATE modelmeter::modelmeter)
#
# Headers are included as in the sources: "layer/base_layer.h". examples/cpp is a project that does.
include(CMakePackageConfigHelpers)

# Of the folders that there are so far.
function(modelmeter_library)
  get_property(folders GLOBAL PROPERTY MODELMETER_FOLDERS)
  add_library(libmodelmeter SHARED)
  set_target_properties(libmodelmeter PROPERTIES
    OUTPUT_NAME modelmeter EXPORT_NAME modelmeter VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
    LINKER_LANGUAGE CXX)
  foreach(folder IN LISTS folders)
    target_sources(libmodelmeter PRIVATE $<TARGET_OBJECTS:mm_${folder}>)
    install(DIRECTORY ${PROJECT_SOURCE_DIR}/src/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/modelmeter
            COMPONENT library FILES_MATCHING PATTERN "*.h" PATTERN "*.def")
  endforeach()
  target_link_libraries(libmodelmeter PRIVATE fmt::fmt ${YAML_LIBRARY} ZLIB::ZLIB SQLite::SQLite3 ${CMAKE_DL_LIBS}
                        PUBLIC nlohmann_json::nlohmann_json Threads::Threads)
  target_compile_features(libmodelmeter INTERFACE cxx_std_20)
  target_include_directories(libmodelmeter INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/modelmeter>)
  if(MODELMETER_SANITIZE)
    target_link_options(libmodelmeter PRIVATE -fsanitize=${MODELMETER_SANITIZE})
  endif()

  set(package ${CMAKE_INSTALL_LIBDIR}/cmake/modelmeter)
  install(TARGETS libmodelmeter EXPORT modelmeterTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
  install(EXPORT modelmeterTargets NAMESPACE modelmeter:: DESTINATION ${package} COMPONENT library)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/modelmeterConfig.cmake.in
                                ${CMAKE_BINARY_DIR}/modelmeterConfig.cmake INSTALL_DESTINATION ${package})
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/modelmeterConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/modelmeterConfig.cmake ${CMAKE_BINARY_DIR}/modelmeterConfigVersion.cmake
          DESTINATION ${package} COMPONENT library)
endfunction()
