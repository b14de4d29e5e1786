# The settings every target of the compiler shares, and the one function that makes a folder into a library.

add_library(calotype_settings INTERFACE)
target_include_directories(calotype_settings INTERFACE
  ${CMAKE_CURRENT_SOURCE_DIR}/compiler ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/runtime ${CMAKE_CURRENT_SOURCE_DIR}/runtime/include)
target_compile_options(calotype_settings INTERFACE -Wall -Wextra -Wpedantic -Wconversion $<$<BOOL:${CALOTYPE_WERROR}>:-Werror>)
target_compile_options(calotype_settings INTERFACE -ffunction-sections -fdata-sections)
# g++ 12 reports these about the inside of std::string, std::vector and std::variant once they are inlined (GCC bugs 105329, 105651, 80635).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(calotype_settings INTERFACE
    -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
endif()
# GNU ld, by name: lld keeps the type information of Halide's exceptions alive and so would ask the light executable for Halide.
target_link_options(calotype_settings INTERFACE -fuse-ld=bfd -Wl,--gc-sections)
target_link_libraries(calotype_settings INTERFACE fmt::fmt nlohmann_json::nlohmann_json Threads::Threads)
target_compile_definitions(calotype_settings INTERFACE CALOTYPE_VERSION="${PROJECT_VERSION}" CALOTYPE_VERIFY=$<BOOL:${CALOTYPE_VERIFY}>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_DISABLE_PRECOMPILE_HEADERS)
  target_compile_options(calotype_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
if(CALOTYPE_SANITIZE)
  target_compile_options(calotype_settings INTERFACE -fsanitize=${CALOTYPE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(calotype_settings INTERFACE -fsanitize=${CALOTYPE_SANITIZE})
endif()

# calotype_library(NAME SOURCES file... LIBRARIES target...): a static library; a folder that is still empty gives an empty one.
function(calotype_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  if(NOT arg_SOURCES)
    set(empty ${CMAKE_BINARY_DIR}/empty.cpp)
    if(NOT EXISTS ${empty})
      file(WRITE ${empty} "// A library whose folder has no source yet.\n")
    endif()
    set(arg_SOURCES ${empty})
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC calotype_settings ${arg_LIBRARIES})
endfunction()
