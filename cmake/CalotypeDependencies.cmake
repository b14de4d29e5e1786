# Finds what Calotype is built from. docs/dependencies.md says what each is for.

# ccache, when present. gcc's precompiled headers need the sloppiness (ccache's manual, "Precompiled headers") and -fpch-preprocess.
find_program(CALOTYPE_CCACHE ccache)
if(CALOTYPE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CALOTYPE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CALOTYPE_CCACHE})
endif()

# Halide comes as a Python wheel that carries the C++ library. Its CMake package lies in lib64/, which Debian's search paths leave out, so the
# wheel's own folder is put on the search path: first the repository's .venv, then whatever Python is active.
if(NOT Halide_DIR)
  file(GLOB halide_wheel ${CMAKE_CURRENT_SOURCE_DIR}/.venv/lib/python3*/site-packages/halide)
  if(NOT halide_wheel)
    find_package(Python3 COMPONENTS Interpreter)
    if(Python3_FOUND)
      execute_process(
        COMMAND ${Python3_EXECUTABLE} -c "import importlib.util as u; print(list(u.find_spec('halide').submodule_search_locations)[0])"
        OUTPUT_VARIABLE halide_wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    endif()
  endif()
  if(halide_wheel)
    list(GET halide_wheel 0 halide_wheel)
    list(APPEND CMAKE_PREFIX_PATH ${halide_wheel}/lib64/cmake)
  endif()
endif()
set(Halide_NO_DEFAULT_FLAGS ON)
set(CMAKE_DISABLE_FIND_PACKAGE_Halide_Python ON)  # would look for Python's headers, which nothing here uses
find_package(Halide 21 REQUIRED COMPONENTS Halide shared)

# "19" alone is refused by LLVM's version file. Halide's private LLVM 21 and this one live in one process; no symbol crosses between them.
find_package(LLVM 19.1 REQUIRED CONFIG)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)

# The schema of ONNX files, from the onnx package's wheel; the reader is generated from it with Debian's protoc. The lite run time knows no
# descriptors: it starts without work and links little.
find_package(Protobuf REQUIRED)
file(GLOB onnx_schema ${CMAKE_CURRENT_SOURCE_DIR}/.venv/lib/python3*/site-packages/onnx/onnx-ml.proto)
if(NOT onnx_schema)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  execute_process(
    COMMAND ${Python3_EXECUTABLE} -c "import importlib.util as u; print(list(u.find_spec('onnx').submodule_search_locations)[0] + '/onnx-ml.proto')"
    OUTPUT_VARIABLE onnx_schema OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
endif()
list(GET onnx_schema 0 onnx_schema)
get_filename_component(onnx_schema_folder ${onnx_schema} DIRECTORY)
set(onnx_generated ${CMAKE_CURRENT_BINARY_DIR}/onnx_schema)
file(MAKE_DIRECTORY ${onnx_generated})
add_custom_command(OUTPUT ${onnx_generated}/onnx-ml.pb.cc ${onnx_generated}/onnx-ml.pb.h
  COMMAND protobuf::protoc --cpp_out=lite:${onnx_generated} -I${onnx_schema_folder} ${onnx_schema}
  DEPENDS ${onnx_schema} VERBATIM COMMENT "Generating the reader of ONNX files")
add_library(calotype_onnx_schema STATIC ${onnx_generated}/onnx-ml.pb.cc)
target_include_directories(calotype_onnx_schema SYSTEM PUBLIC ${onnx_generated})
target_compile_options(calotype_onnx_schema PRIVATE -w -ffunction-sections -fdata-sections)
target_link_libraries(calotype_onnx_schema PUBLIC protobuf::libprotobuf-lite)

# Headers alone, for static libraries whose users decide whether Halide is linked. The definitions must be those of Halide::Halide, or gcc would
# refuse the precompiled header that all of them share.
add_library(calotype_halide_headers INTERFACE)
target_compile_definitions(calotype_halide_headers INTERFACE $<TARGET_PROPERTY:Halide::Halide,INTERFACE_COMPILE_DEFINITIONS>)
target_include_directories(calotype_halide_headers SYSTEM INTERFACE $<TARGET_PROPERTY:Halide::Halide,INTERFACE_INCLUDE_DIRECTORIES>)

# LLVM as one shared library, lld as the static archives that Debian ships. LLVM_DEFINITIONS holds nothing that g++ does not define by itself.
add_library(calotype_llvm INTERFACE)
target_include_directories(calotype_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
target_link_directories(calotype_llvm INTERFACE ${LLVM_LIBRARY_DIRS})
target_link_libraries(calotype_llvm INTERFACE lldELF lldCommon LLVM z zstd)
