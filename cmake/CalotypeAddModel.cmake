# calotype_add_model(TARGET MODEL [NAME name] [TARGET_MACHINE target...] [DEVICE device] [SET symbol=value...] [WEIGHTS_FROM file|random:SEED]
#                    [OPTIONS option...] [DEPENDS file...])
#
# Compiles MODEL (a .layers or .onnx file) at build time into a static library TARGET that others link:
#
#   calotype_add_model(lenet5 lenet5.layers)
#   target_link_libraries(app PRIVATE lenet5)      # and in app.c: #include "lenet5.h"
#
# NAME is the prefix of the generated C names and the stem of its files; it is TARGET unless given. Weight files that the description names are
# dependencies by themselves; DEPENDS adds others. OPTIONS go to `calotype compile` as they are.
function(calotype_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAME;DEVICE;WEIGHTS_FROM" "TARGET_MACHINE;SET;OPTIONS;DEPENDS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "calotype_add_model(${target}): cannot read: ${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  set(name ${target})
  if(arg_NAME)
    set(name ${arg_NAME})
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "calotype_add_model(${target}): '${name}' is no C identifier; give one with NAME")
  endif()

  get_filename_component(model ${model} ABSOLUTE)
  get_filename_component(model_folder ${model} DIRECTORY)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.calotype)
  file(MAKE_DIRECTORY ${folder})

  set(options --name ${name})
  if(arg_TARGET_MACHINE)
    list(JOIN arg_TARGET_MACHINE "," machines)
    list(APPEND options --target ${machines})
  endif()
  if(arg_DEVICE)
    list(APPEND options --device ${arg_DEVICE})
  endif()
  foreach(binding ${arg_SET})
    list(APPEND options --set ${binding})
  endforeach()
  set(dependencies ${model} ${arg_DEPENDS})
  if(arg_WEIGHTS_FROM)
    if(NOT arg_WEIGHTS_FROM MATCHES "^random:")
      get_filename_component(arg_WEIGHTS_FROM ${arg_WEIGHTS_FROM} ABSOLUTE)
      list(APPEND dependencies ${arg_WEIGHTS_FROM})
    endif()
    list(APPEND options --weights-from ${arg_WEIGHTS_FROM})
  elseif(EXISTS ${model} AND model MATCHES "\\.layers$")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${model})
    file(STRINGS ${model} weight_lines REGEX "^[ \t]*weights[ \t]+\"")
    foreach(line ${weight_lines})
      string(REGEX REPLACE "^[ \t]*weights[ \t]+\"([^\"]*)\".*" "\\1" file ${line})
      get_filename_component(file ${file} ABSOLUTE BASE_DIR ${model_folder})
      list(APPEND dependencies ${file})
    endforeach()
  endif()

  add_custom_command(
    OUTPUT ${folder}/${name}.a ${folder}/${name}.h ${folder}/${name}.json ${folder}/${name}.pc ${folder}/${name}Config.cmake
    COMMAND Calotype::calotype compile ${model} -o ${folder} ${options} ${arg_OPTIONS}
    DEPENDS ${dependencies} Calotype::calotype Calotype::calotype-compiler
    COMMENT "Compiling the network ${name}"
    VERBATIM)
  add_custom_target(${target}_calotype DEPENDS ${folder}/${name}.a)

  find_package(Threads REQUIRED)
  add_library(${target} STATIC IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${folder}/${name}.a
    INTERFACE_INCLUDE_DIRECTORIES ${folder}
    INTERFACE_LINK_LIBRARIES "Threads::Threads;m"
    CALOTYPE_FOLDER ${folder})
  add_dependencies(${target} ${target}_calotype)
endfunction()
