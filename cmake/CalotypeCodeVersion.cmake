# Run by cmake -P: writes OUTPUT, which defines calotype::codegen::code_version(), a hash over the files that FILES lists and Halide's VERSION. A
# kernel in the cache is found only by a compiler that would generate the same one; relinking, or a change elsewhere, keeps the cache.
file(STRINGS ${FILES} sources)
list(SORT sources)
set(hashes "${VERSION}")
foreach(source ${sources})
  file(SHA256 ${source} hash)
  string(APPEND hashes ${hash})
endforeach()
string(SHA256 version "${hashes}")
string(SUBSTRING ${version} 0 32 version)
set(text "// Written by CalotypeCodeVersion.cmake.\n#include \"codegen/code_version.h\"\n
namespace calotype::codegen {\nstd::string_view code_version() { return \"${version}\"; }\n}  // namespace calotype::codegen\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUTPUT} "${text}")
endif()
