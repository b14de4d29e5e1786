/// \file
/// Verbs that are planned and not there yet.
#include "commands/verbs.h"

namespace calotype::commands {

void not_yet(Arguments) { throw Failure(Fault::unsupported, "this version of Calotype does not have that verb yet"); }

}  // namespace calotype::commands
