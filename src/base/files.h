// Files that are written whole or not at all, and read up to a bound.
//
// A file is written to a temporary beside its place (".NAME.<random>.tmp", made new, never through a link) and renamed
// when it is on disk. A writer holds a lock on its temporary while it lives, so that what a killed one left is known
// and removed by the next that writes to the same place.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace modelmeter {

// path or name, content
using FileContent = std::pair<std::string, std::string>;

// Writes one file that a user named. Regular files are replaced, a link stays and what it names is replaced. "-" is
// stdout; it, devices and FIFOs are written into. Error for folders, sockets and block devices, and for a FIFO that
// nobody reads.
void write_file(const std::string& path, const std::string& content);

// Writes all of the files (path, content), and renames them only when every one is on disk. Makes folders as needed. On
// any failure the temporaries are removed and an Error says what failed. Error where something that is no regular file
// stands in the place of one.
void write_files(const std::vector<FileContent>& files);

// Writes a folder that holds the files of one run: names may have folders in them ("layers/summary.md"). It is made
// beside its place and takes it in one step, so that nobody, whenever the writer is killed, sees files of two runs.
// What else was in the folder stays in it, but for `dropped`: names of files or folders that another run may have left.
// Where all is there as it would be written, the folder is left alone.
void write_folder(const std::string& folder, const std::vector<FileContent>& files,
                  const std::vector<std::string>& dropped = {});

// No file that a user names is read beyond this, unless its reader says so.
constexpr int64_t max_file_bytes = int64_t{64} << 20;

// The content of a file; Error where there is none, it cannot be read, or it has more than max_bytes.
std::string read_file(const std::string& path, int64_t max_bytes = max_file_bytes);

}  // namespace modelmeter
