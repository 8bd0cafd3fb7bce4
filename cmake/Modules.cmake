# One static library per folder of src/. A library sees the headers of the folders that it names in USES
# (and theirs) and no others, so that an include against the architecture does not compile.

# GCC 12 warns of overlap in std::string concatenation where there is none (GCC bug 105329).
# Clang warns of what libstdc++ 12 calls in its own std::stable_sort.
set(MODELMETER_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    $<$<CXX_COMPILER_ID:Clang>:-Wreserved-identifier -Wno-deprecated-declarations>)

# Under ctest, property tests try the same values every time; run by themselves they try others.
set(MODELMETER_TEST_ENVIRONMENT "RC_PARAMS=seed=20261125")

function(modelmeter_flags target)
  target_compile_options(${target} PRIVATE ${MODELMETER_WARNINGS} $<$<BOOL:${MODELMETER_WERROR}>:-Werror>)
  if(MODELMETER_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${MODELMETER_SANITIZE} -fno-sanitize-recover=all
                                             -fno-omit-frame-pointer)
    target_compile_definitions(${target} PRIVATE MODELMETER_SANITIZED)  # tests that take too long then try fewer values
    target_link_options(${target} PRIVATE -fsanitize=${MODELMETER_SANITIZE})
  endif()
endfunction()

# With MODELMETER_UNITY the sources of one folder are one translation unit: names in anonymous namespaces must differ
# within a folder, not across folders.
function(modelmeter_unity target)
  if(NOT MODELMETER_UNITY)
    return()
  endif()
  foreach(source IN LISTS ARGN)
    get_filename_component(folder ${source} DIRECTORY)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${folder})
    string(MAKE_C_IDENTIFIER ${folder} folder)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${folder})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # GCC takes what is included for a header, where types of anonymous namespaces would be a mistake.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()

# modelmeter_module(trace USES base [LINKS fmt::fmt ...] [TEST_LINKS ...])
# builds mm_trace from src/trace/**/*.cc and, with tests on, trace_test from src/trace/**/*_test.cc.
function(modelmeter_module name)
  cmake_parse_arguments(ARG "" "" "USES;LINKS;TEST_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  # The only thing in this include directory is this folder.
  set(include_dir ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${include_dir})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${name} ${include_dir}/${name} SYMBOLIC)

  add_library(mm_${name} STATIC ${sources})
  set_property(GLOBAL APPEND PROPERTY MODELMETER_FOLDERS ${name})
  modelmeter_unity(mm_${name} ${sources})
  target_include_directories(mm_${name} PUBLIC ${include_dir})
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(mm_${name} PUBLIC mm_${used})
  endforeach()
  target_link_libraries(mm_${name} PUBLIC ${ARG_LINKS})
  modelmeter_flags(mm_${name})

  if(MODELMETER_BUILD_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)  # testing/: fixtures
    target_link_libraries(${name}_test PRIVATE mm_${name} ${ARG_TEST_LINKS} GTest::gmock_main GTest::gtest
                                               ${RAPIDCHECK_LIBRARY})
    modelmeter_flags(${name}_test)
    target_compile_definitions(${name}_test PRIVATE MODELMETER_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    gtest_discover_tests(${name}_test TEST_PREFIX ${name}. WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                         DISCOVERY_TIMEOUT 60 PROPERTIES ENVIRONMENT "${MODELMETER_TEST_ENVIRONMENT}")
  endif()
endfunction()
