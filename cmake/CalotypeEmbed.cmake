# calotype_embed(TARGET SYMBOL FILE): puts the bytes of FILE into TARGET. `#include "embedded/SYMBOL.h"` declares them:
#
#   namespace calotype::embedded { std::string_view SYMBOL(); }
#
# FILE may be a source file or the output of a custom command; TARGET is rebuilt when it changes. The bytes start at a multiple of 64.
function(calotype_embed target symbol file)
  get_filename_component(file ${file} ABSOLUTE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}_embedded)
  file(CONFIGURE OUTPUT ${folder}/embedded/${symbol}.h @ONLY CONTENT [=[
#pragma once

#include <string_view>

namespace calotype::embedded {
/// The bytes of a file of the build, for the life of the program.
std::string_view @symbol@();
}  // namespace calotype::embedded
]=])
  file(CONFIGURE OUTPUT ${folder}/${symbol}.cpp @ONLY CONTENT [=[
#include "embedded/@symbol@.h"

__asm__(
    ".pushsection .rodata.calotype_embedded_@symbol@, \"a\", %progbits\n"
    ".balign 64\n"
    ".global calotype_embedded_@symbol@\n.hidden calotype_embedded_@symbol@\n"
    "calotype_embedded_@symbol@:\n"
    ".incbin \"@file@\"\n"
    ".global calotype_embedded_@symbol@_end\n.hidden calotype_embedded_@symbol@_end\n"
    "calotype_embedded_@symbol@_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
[[gnu::visibility("hidden")]] extern const char calotype_embedded_@symbol@[];
[[gnu::visibility("hidden")]] extern const char calotype_embedded_@symbol@_end[];
}

std::string_view calotype::embedded::@symbol@() {
  return {calotype_embedded_@symbol@, calotype_embedded_@symbol@_end};
}
]=])
  target_sources(${target} PRIVATE ${folder}/${symbol}.cpp)
  set_source_files_properties(${folder}/${symbol}.cpp PROPERTIES OBJECT_DEPENDS ${file} SKIP_PRECOMPILE_HEADERS ON)
  target_include_directories(${target} PUBLIC ${folder})
endfunction()
