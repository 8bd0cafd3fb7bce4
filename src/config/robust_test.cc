// No input may do anything but succeed or throw Error: small mutations of valid inputs, the same ones every time.
#include <gtest/gtest.h>

#include <random>

#include "config/arithmetic.h"
#include "config/interpolation.h"
#include "config/override.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

std::string mutated(const std::string& seed, std::mt19937& random) {
  static const std::string alphabet = "${}[]()'\"\\:,=.@/+-~ \t\n#&*?!|>%a1e_\x80\xc3\xa9";
  std::string out = seed;
  const auto at = [&] { return random() % (out.size() + 1); };
  for (unsigned i = 0, count = 1 + random() % 4; i < count; ++i) {
    const char c = alphabet[random() % alphabet.size()];
    switch (random() % 3) {
      case 0: out.insert(at(), 1, c); break;
      case 1: out.erase(at(), random() % 3); break;
      default: out += out.substr(at(), random() % 8);
    }
  }
  return out;
}

template <typename Run>
void mutate(const std::vector<std::string>& seeds, Run&& run) {
  std::mt19937 random(7);
  for (int i = 0; i < 4000; ++i) {
    const std::string text = mutated(seeds[random() % seeds.size()], random);
    try {
      run(text);
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::internal) << text << "\n" << error.what();
    }
  }
}

TEST(Robust, Overrides) {
  mutate({"+a.b=[1,{c:'x y'}]", "~g/h@p.q=z", "k=sort(range(1,9,2),reverse=true)", "v=\"a\\\"b${x:{y}}\"",
          "x=tag(a,choice(1,2.5e3))", "s=glob([a*],exclude=b)", "i=int('12')"},
         [](const std::string& text) {
           const Override word = parse_override(text);
           if (word.value && !word.is_sweep()) to_override(word.node());
         });
}

TEST(Robust, YamlAndInterpolation) {
  mutate({"a: ${b.c[0]}\nb: {c: [1, '${.x}']}\n", "x: &a {y: 1}\nz:\n  <<: *a\n",
          "t: ${oc.decode:'[1, {a: ${n}}]'}\nn: 3\n", "s: |\n  text\nf: 1.5e-3\n",
          "e: ${eval:'(1 + 2) * ${k}'}\nk: ${oc.select:q,7}\n"},
         [](const std::string& text) { to_yaml(resolve(parse_yaml(text, "f"))); });
}

TEST(Robust, Arithmetic) {
  mutate({"(1 + 2) * 3 // 4", "min(1, 2.5) ** -2", "-7 % abs(-3)", "ceil(7 / 2) - 9223372036854775807"},
         [](const std::string& text) { calculate(text); });
}

}  // namespace
}  // namespace modelmeter::config
