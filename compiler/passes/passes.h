#pragma once
/// \file
/// The passes, in the order of docs/architecture.md. One file a pass, one function a file.
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "ir/weight_store.h"
#include "plan/plan.h"

namespace calotype::passes {

/// Replaces every expression over symbols by its number. `symbols` are the values given by --set; the first dimension of an input that is a
/// lone unbound symbol becomes 1. Throws Failure for any other unbound symbol, a value given for a symbol that does not exist, or an
/// extent that is negative.
void bind_symbols(Graph& graph, Symbols symbols);

/// Gives every value its type and every layer its implicit weights (as values of origin weight, named LAYER.weight, ..., appended to the
/// op's operands; inline weights carry their data, broadcast). Checks declared results. Throws Failure with one diagnostic for each layer
/// at fault (layers that depend on a faulty one are skipped in silence).
void infer_shapes(Graph& graph);

/// The same for one op whose operands are typed. Throws what infer_shapes would collect.
void infer_op(Graph& graph, OpId id);

/// Gives every weight its numbers, widened to the layer's type: from the store by name. Throws Failure for tensors that are missing (all
/// at once, with the nearest name) or of the wrong shape; returns notes on surplus ones.
std::vector<std::string> attach_weights(Graph& graph, const WeightStore& store);

/// Fills every weight that has no data with numbers that depend on the seed and the weight's name only: He-scaled normal for kernels, small
/// biases, statistics near mean 0 and variance 1.
void randomize_weights(Graph& graph, std::uint64_t seed);

/// Turns `activation=NAME` into an op of that kind after its layer. The activated value keeps the layer's name.
void expand_activations(Graph& graph);

/// Numbers of an op's results, all of whose operands have data; nothing where the op is better left to run (codegen::evaluate).
using Evaluate = std::optional<std::vector<TensorData>> (*)(const Graph&, OpId);

/// Computes at compile time every op whose operands are known, results of the network apart.
void fold_constants(Graph& graph, Evaluate evaluate);

/// Adds a check to every layer that picks or puts elements by indices which arrive at run time, so that one out of range is reported. Throws
/// Failure(input) where indices that are known lie outside.
void check_indices(Graph& graph);

/// Folds batch_norm into the convolution or dense layer that alone feeds it (weights computed in double); elsewhere it becomes a multiplication
/// and an addition. One whose numbers come at run time, or whose type is not f32, stays.
void fold_batch_norm(Graph& graph);

/// Removes ops that no result needs, and identities between equal types (dropout, identity): their readers read the operand.
void remove_dead(Graph& graph);

/// Cuts the graph into kernels: an anchor and the elementwise ops after it. Results of the network stay visible; so --dump makes results of
/// the values that it wants to see.
plan::Plan fuse(Graph graph);

/// Adds copies where a kernel wants its operand in another layout than its producer gives, and the steps in running order.
void insert_reorders(plan::Plan& plan);

/// Gives every buffer its place: one arena with reuse, offsets in the weight blob.
void plan_memory(plan::Plan& plan);

/// The most bytes of the arena that are alive at one step: no plan of the same steps has a smaller arena.
std::int64_t least_arena(const plan::Plan& plan);

}  // namespace calotype::passes
