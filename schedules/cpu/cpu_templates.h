#pragma once
/// \file
/// The functions of the CPU templates, and the records that list them.
#include "schedules/template.h"

namespace calotype::schedules::cpu {

std::optional<Choice> choose_identity(const Question& question);
Halide::Func build_identity(KernelBuilder& builder);
std::optional<Choice> choose_join(const Question& question);
Halide::Func build_join(KernelBuilder& builder);
std::optional<Choice> choose_generic(const Question& question);
Halide::Func build_generic(KernelBuilder& builder);
std::optional<Choice> choose_direct_conv(const Question& question);
Halide::Func build_direct_conv(KernelBuilder& builder);
std::optional<Choice> choose_grouped_conv(const Question& question);
Halide::Func build_grouped_conv(KernelBuilder& builder);
std::optional<Choice> choose_small_groups(const Question& question);
Halide::Func build_small_groups(KernelBuilder& builder);
std::optional<Choice> choose_half_block(const Question& question);
Halide::Func build_half_block(KernelBuilder& builder);
std::optional<Choice> choose_inverted_residual(const Question& question);
Halide::Func build_inverted_residual(KernelBuilder& builder);
bool merges_inverted_residual(const plan::Plan& plan, const plan::Target& target, const Chain& chain, bool whatever_it_costs);
std::optional<Choice> choose_narrow_conv(const Question& question);
Halide::Func build_narrow_conv(KernelBuilder& builder);
std::optional<Choice> choose_depthwise(const Question& question);
Halide::Func build_depthwise(KernelBuilder& builder);
std::vector<Variant> winograd_variants(const Question& question);
std::optional<Choice> choose_winograd(const Question& question);
Halide::Func build_winograd(KernelBuilder& builder);
std::vector<Variant> strassen_variants(const Question& question);
std::optional<Choice> choose_strassen(const Question& question);
Halide::Func build_strassen(KernelBuilder& builder);
std::optional<Choice> choose_pool(const Question& question);
Halide::Func build_pool(KernelBuilder& builder);
std::optional<Choice> choose_conv_transpose(const Question& question);
Halide::Func build_conv_transpose(KernelBuilder& builder);
std::optional<Choice> choose_dense(const Question& question);
Halide::Func build_dense(KernelBuilder& builder);
std::optional<Choice> choose_matmul(const Question& question);
Halide::Func build_matmul(KernelBuilder& builder);
std::optional<Choice> choose_rows(const Question& question);
Halide::Func build_rows(KernelBuilder& builder);
std::optional<Choice> choose_permute(const Question& question);
Halide::Func build_permute(KernelBuilder& builder);

inline constexpr Template identity = {"identity", choose_identity, build_identity};
inline constexpr Template join = {"join", choose_join, build_join};
inline constexpr Template depthwise = {"depthwise", choose_depthwise, build_depthwise};
inline constexpr Template direct_conv = {"direct_conv", choose_direct_conv, build_direct_conv};
inline constexpr Template grouped_conv = {"grouped_conv", choose_grouped_conv, build_grouped_conv};
inline constexpr Template small_groups = {"small_groups", choose_small_groups, build_small_groups};
inline constexpr Template half_block = {"half_block", choose_half_block, build_half_block};
inline constexpr Template inverted_residual = {"inverted_residual", choose_inverted_residual, build_inverted_residual, nullptr,
                                               merges_inverted_residual};
inline constexpr Template strassen = {"strassen", choose_strassen, build_strassen, strassen_variants};
inline constexpr Template narrow_conv = {"narrow_conv", choose_narrow_conv, build_narrow_conv};
inline constexpr Template winograd = {"winograd", choose_winograd, build_winograd, winograd_variants};
inline constexpr Template conv_transpose = {"conv_transpose", choose_conv_transpose, build_conv_transpose};
inline constexpr Template pool = {"pool", choose_pool, build_pool};
inline constexpr Template dense = {"dense", choose_dense, build_dense};
inline constexpr Template matmul = {"matmul", choose_matmul, build_matmul};
inline constexpr Template rows = {"rows", choose_rows, build_rows};
inline constexpr Template permute = {"permute", choose_permute, build_permute};
inline constexpr Template generic = {"generic", choose_generic, build_generic};

}  // namespace calotype::schedules::cpu
