// The hyper-parameters of a Wan diffusion transformer, as the published config.json gives them.
//
// Two formats are read: the official one (Wan-Video/Wan2.1, WanModel: dim, ffn_dim, num_heads …) and diffusers'
// transformer/config.json (WanTransformer3DModel: num_attention_heads, attention_head_dim …), today's and that of the
// first releases (WanxTransformer3DModel: qk_norm true, add_img_emb, no image_dim). Files of other classes, and keys of
// other models, are refused: what they switch on is not modelled.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/access.h"
#include "model/config_fields.h"
#include "trace/shape.h"

namespace modelmeter::wan {

// The code base differs, not the sizes: Wan2.2's official transformer embeds the time step of every token.
enum class Generation { wan2_1, wan2_2 };

struct Architecture {
  KeyNames format = KeyNames::original;  // of the file it was read from
  Generation generation = Generation::wan2_1;
  std::string model_type = "t2v";  // t2v, i2v, flf2v, vace, ti2v
  Shape patch_size{1, 2, 2};       // frames, height, width
  int64_t text_len = 512;          // tokens the text is padded to
  int64_t in_dim = 16;             // latent channels in (36 where an image conditions it)
  int64_t dim = 0;                 // width
  int64_t ffn_dim = 0;
  int64_t freq_dim = 256;   // sinusoidal time features
  int64_t text_dim = 4096;  // width of the text encoder
  int64_t out_dim = 16;     // latent channels out
  int64_t num_heads = 0;
  int64_t num_layers = 0;
  bool qk_norm = true;
  bool cross_attn_norm = true;
  int64_t rope_max_seq_len = 1024;
  int64_t image_dim = 0;             // width of the image encoder; 0 without one
  int64_t pos_embed_seq_len = 0;     // image positions with an embedding of their own (flf2v); 0 for none
  std::vector<int64_t> vace_layers;  // blocks that a VACE block's hint is added to, ascending from 0; empty without
  int64_t vace_in_dim = 0;           // channels of VACE's control (96); 0 without

  bool operator==(const Architecture&) const = default;
  int64_t head_dim() const { return dim / num_heads; }
  bool image_conditioned() const { return image_dim > 0; }
  // What its sizes say that it makes: t2v, i2v, flf2v, vace, ti2v. (VACE's official file says t2v.)
  std::string task() const;
  int64_t images() const { return pos_embed_seq_len > 0 ? 2 : 1; }  // that condition it, where it is
};

// Reads either format. Errors name the file and the field: another class, an unknown key that is not off, quantised
// weights, a missing or mistyped field, heads that do not divide the width, an odd head size, sizes that are not
// positive, an image branch of another width than the model's, attention in windows.
Architecture read_architecture(const config::View& config);

// The JSON form, in the official format or in diffusers'.
nlohmann::ordered_json json_of(const Architecture& a, KeyNames names);

// Throws the errors above for an architecture that did not come from a file; `where` makes them.
void check_architecture(const Architecture& a, const config::View& where);
// Of the blocks of the transformer beside which VACE's run: numbers of blocks, ascending from 0.
void check_vace_layers(const Architecture& a, const config::View& where);

}  // namespace modelmeter::wan
