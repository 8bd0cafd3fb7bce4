// The layers that every implementation of the Wan autoencoder shares: causal convolution with its feature cache, norm,
// resampling and attention. They differ in the names of their classes only, but for the norm.
//
// Sources: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py; diffusers 0.42.1, autoencoder_kl_wan.py. A video runs through
// in chunks of one latent frame; each causal convolution keeps the last frames of its input for the next chunk.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "layer/conv.h"
#include "layer/sequential.h"
#include "trace/repeat.h"

namespace modelmeter::wan {

constexpr int64_t cache_t = 2;  // frames of its input that a causal convolution keeps: CACHE_T

// The originals' feat_cache and feat_idx: what each causal convolution kept, in the order of calls.
struct FeatCache {
  struct Slot {
    Tensor frames;
    bool rep = false;  // the original's 'Rep': the first chunk passed, and nothing was kept

    bool empty() const { return !rep && !frames.defined(); }
  };

  explicit FeatCache(int64_t convolutions) : slots(static_cast<size_t>(convolutions)) {}
  Slot& current() { return slots[index]; }
  void keep(Tensor frames) {
    frames.set_role("feature cache");
    slots[index++] = {std::move(frames), false};
  }
  void clear() { slots.assign(slots.size(), {}); }
  // Whether the next pairs of slots hold what looks the same.
  bool alike_by_pairs(int64_t pairs) const;
  // A loop over chunks carries what is kept from one to the next.
  void add_to(LoopState& state) const {
    for (const Slot& slot : slots) state.same.push_back(&slot.frames);
  }

  std::vector<Slot> slots;
  size_t index = 0;
};

// Runs call(i, x) for residual blocks i = 0 … n - 1 that keep the width, two causal convolutions each. Blocks that find
// the same as the one before are not traced.
template <class Call>
Tensor run_residual_blocks(int64_t n, Tensor x, FeatCache& cache, Call call) {
  int64_t done = 0;
  if (n > 1 && !x.unique()) x = call(done++, x);  // somebody else keeps the first block's input
  const int64_t alike = n - done;
  if (alike < 2 || !cache.alike_by_pairs(alike)) {
    while (done < n) x = call(done++, x);
    return x;
  }
  const auto block = [&](int64_t i) { x = call(done + i, x); };
  const auto skip = [&](int64_t) {
    for (int i = 0; i < 2; ++i) cache.keep(untraced_like(cache.slots[cache.index - 2].frames));
  };
  repeat_steadily(alike, {{&x}, {}}, block, skip);
  return x;
}

// The class names of one implementation.
struct VaeClassNames {
  std::string_view causal_conv, rms_norm, upsample, resample, residual_block, attention_block;
};
extern const VaeClassNames official_vae_names;
extern const VaeClassNames diffusers_vae_names;

struct CausalConvOptions {
  int64_t in_dim, out_dim;
  std::array<int64_t, 3> kernel;
  std::array<int64_t, 3> stride{1, 1, 1};
  std::array<int64_t, 3> padding{0, 0, 0};
};

class CausalConv3d : public Module<CausalConv3d> {
 public:
  static constexpr bool pure = true;

  CausalConv3d(const BuildContext& context, std::string_view class_name, const CausalConvOptions& options);
  Tensor forward(Tensor x, Tensor cache_x = Tensor()) const;  // x [b, c, t, h, w], frames before it
  // A call on x and what the cache holds for it, which then holds the end of x.
  void call_cached(Tensor& x, FeatCache& cache) const;

 private:
  CausalConvOptions options_;
};

// 3x3x3 and 1x1x1, stride 1.
CausalConvOptions conv_3x3x3(int64_t in_dim, int64_t out_dim);
CausalConvOptions conv_1x1x1(int64_t in_dim, int64_t out_dim);

int64_t count_conv3d(const BaseLayer& layer);  // causal ones, in it

// Over the channels; diffusers' computes narrow types in float32.
class VaeRmsNorm : public Module<VaeRmsNorm> {
 public:
  static constexpr bool pure = true;

  VaeRmsNorm(const BuildContext& context, const VaeClassNames& names, int64_t dim, bool images);
  Tensor forward(Tensor x) const;  // [n, c, h, w] for images, [b, c, t, h, w]

 private:
  bool diffusers_;
};

// Twice the height and width, in float32.
struct UpsampleOptions {
  std::string_view class_name;
};
class VaeUpsample : public Module<VaeUpsample> {
 public:
  static constexpr bool pure = true;

  VaeUpsample(const UpsampleOptions& options) : Module(options.class_name) {}
  Tensor forward(Tensor x) const;  // [n, c, h, w]
};

// nn.ZeroPad2d((0, 1, 0, 1))
struct ZeroPadOptions {};
class ZeroPad2d : public Module<ZeroPad2d> {
 public:
  static constexpr bool pure = true;

  ZeroPad2d(const ZeroPadOptions&) : Module("ZeroPad2d") {}
  Tensor forward(Tensor x) const { return torch::pad(std::move(x), {0, 1, 0, 1}); }
};

enum class ResampleMode { upsample2d, upsample3d, downsample2d, downsample3d };

class VaeResample : public Module<VaeResample> {
 public:
  VaeResample(const BuildContext& context, const VaeClassNames& names, int64_t dim, int64_t out_dim, ResampleMode mode);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, c, t, h, w]

 private:
  Tensor twice_the_frames(Tensor x, FeatCache& cache) const;
  Tensor half_the_frames(Tensor x, FeatCache& cache) const;

  ResampleMode mode_;
  std::optional<Sequential<VaeUpsample, Conv>> up_;
  std::optional<Sequential<ZeroPad2d, Conv>> down_;
  std::optional<CausalConv3d> time_conv_;
};

// Attention among the pixels of each frame, one head as wide as the layer.
class VaeAttentionBlock : public Module<VaeAttentionBlock> {
 public:
  static constexpr bool pure = true;

  VaeAttentionBlock(const BuildContext& context, const VaeClassNames& names, int64_t dim);
  Tensor forward(Tensor x) const;  // [b, c, t, h, w]

 private:
  VaeRmsNorm norm_;
  Conv to_qkv_;
  Conv proj_;
};

// Wan2.2's shortcuts beside a level: the mean of neighbours, and copies, as channels need them.
struct ShortcutOptions {
  int64_t in_channels, out_channels, factor_t, factor_s;

  int64_t factor() const { return factor_t * factor_s * factor_s; }
};

class AvgDown3D : public Module<AvgDown3D> {
 public:
  static constexpr bool pure = true;

  AvgDown3D(const ShortcutOptions& options) : Module("AvgDown3D"), options_(options) {
    vary_by({options.in_channels, options.out_channels, options.factor_t, options.factor_s});
  }
  Tensor forward(Tensor x) const;

 private:
  ShortcutOptions options_;
};

class DupUp3D : public Module<DupUp3D> {
 public:
  DupUp3D(const ShortcutOptions& options) : Module("DupUp3D"), options_(options) {}
  Tensor forward(Tensor x, bool first_chunk) const;

 private:
  ShortcutOptions options_;
};

// Pixels to channels and back: [b, c, f, h q, w q] and [b, c q q, f, h, w].
Tensor patchify(Tensor x, int64_t patch_size);
Tensor unpatchify(Tensor x, int64_t patch_size);

}  // namespace modelmeter::wan
