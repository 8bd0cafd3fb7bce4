// The jobs of sweeps and the candidates of completion, as Hydra 1.3.2 answers them: recorded/{sweeps,completion}.txt.
#include <gtest/gtest.h>

#include "config/completion.h"
#include "config/recorded_answers.h"
#include "config/sweeper.h"

namespace modelmeter::config {
namespace {

std::string joined_words(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " | ") + word;
  return "  " + out + "\n";
}

std::string jobs_of(const Asked& asked) {
  const Product product = Product::of(asked.repository, asked.words);
  std::string out;
  for (int64_t i = 0; i < product.size(); ++i) out += joined_words(product.job(i));
  return out.empty() ? "none\n" : out;
}

TEST(RecordedAnswers, JobsOfSweeps) {
  const Reasons deviations = {
      {"axes of an application: lr=choice(\"it's\",2)", "a text that cannot be read without its quotes keeps them"},
  };
  Answers answers(deviations);
  const std::vector<Question> questions = read_questions("sweeps.txt");
  EXPECT_GE(questions.size(), at_least(100));
  for (const Question& question : questions) {
    std::string ours;
    bool same = false;
    try {
      ours = jobs_of(Asked(question));
      same = ours == question.answer;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 1) << question.title();
      ours = "error: " + error.message() + "\n";
      same = question.answer.rfind("error", 0) == 0;
    }
    answers.compare(question.title(), ours, question.answer, same);
  }
}

TEST(RecordedAnswers, CompletionOfLines) {
  static const char* const unread = "words that cannot be read leave the groups";
  const Reasons deviations = {
      {"words of an application: .lr=[ d.", unread},
      {"words of an application: .db .", unread},
      {"words of an application: .a.b. .", unread},
  };
  Answers answers(deviations);
  const std::vector<Question> questions = read_questions("completion.txt");
  EXPECT_GE(questions.size(), at_least(100));
  for (const Question& question : questions) {
    const Asked asked(question);
    // Between dots, so that blanks at its end stay.
    const std::string line = asked.words.at(0).substr(1, asked.words[0].size() - 2);
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;) words.push_back(word);
    std::string last;
    if (!words.empty() && line.back() != ' ') {
      last = words.back();
      words.pop_back();
    }
    std::string ours;
    for (const std::string& one : complete(asked.repository, asked.name, words, last, {})) ours += "  " + one + "\n";
    if (ours.empty()) ours = "none\n";
    answers.compare(question.title(), ours, question.answer, ours == question.answer);
  }
}

}  // namespace
}  // namespace modelmeter::config
