# Installs Calotype into a fresh prefix, then builds and runs tests/consumer/project against it, as a user with CMake would.
# Variables: BUILD (Calotype's build folder), SOURCE (the repository), WORK (a folder of this test's own).

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/project -B ${WORK}/build -G Ninja
  -DCMAKE_PREFIX_PATH=${WORK}/prefix -DNETWORKS=${SOURCE}/samples/networks)
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/app)
message(STATUS "${output}")

# Nothing to do the second time, and the installed tool needs nothing of the build tree.
run(${CMAKE_COMMAND} --build ${WORK}/build)
if(NOT output MATCHES "no work to do")
  message(FATAL_ERROR "the second build did something:\n${output}")
endif()
run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${WORK}/prefix/bin/calotype summary ${SOURCE}/samples/networks/lenet5.layers)
if(NOT output MATCHES "61,706")
  message(FATAL_ERROR "the installed calotype does not count LeNet-5's 61,706 parameters:\n${output}")
endif()

# A library that was compiled on the command line brings a CMake package of its own.
run(${WORK}/prefix/bin/calotype compile ${SOURCE}/tests/consumer/project/stacked.layers -o ${WORK}/library)
run(${WORK}/prefix/bin/calotype compile ${SOURCE}/samples/networks/lenet5.layers --weights-from random:1 -o ${WORK}/library)
run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/library_project -B ${WORK}/library_build -G Ninja -DCMAKE_PREFIX_PATH=${WORK}/library)
run(${CMAKE_COMMAND} --build ${WORK}/library_build)
run(${WORK}/library_build/app)
