#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#include "base/edit_distance.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "config/completion.h"

namespace modelmeter::cli {
namespace {

using Words = std::vector<std::string>;

// The last word begins where bash breaks words, at ':' and '@' too: what stands before that is taken off.
constexpr const char* bash_script = R"bash(export _MODELMETER_OLD_COMP=$(complete -p modelmeter 2> /dev/null)
modelmeter_bash_completion()
{
    local line=${COMP_LINE:0:$COMP_POINT} word= current=${COMP_WORDS[COMP_CWORD]} choices
    case "$line" in *" ") ;; *) word=${line##* } ;; esac
    choices=$(COMP_POINT=$COMP_POINT COMP_LINE=$line ${COMP_WORDS[0]} -sc query=bash 2> /dev/null)
    COMPREPLY=($(compgen -o nospace -o default -W "$choices" -- "$word"))
    local before=${word%"$current"}
    if [ "$before" != "$word" ]; then COMPREPLY=("${COMPREPLY[@]#"$before"}"); fi
}

COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
COMP_WORDBREAKS=$COMP_WORDBREAKS complete -o nospace -o default -F modelmeter_bash_completion modelmeter
)bash";

constexpr const char* zsh_script = R"zsh(modelmeter_zsh_completion()
{
    local line="${(j: :)words[1,CURRENT]}"
    local -a choices
    choices=(${=$(COMP_LINE=$line ${words[1]} -sc query=zsh 2> /dev/null)})
    if (( ${#choices} )); then
        compadd -Q -S '' -- $choices
    else
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef modelmeter_zsh_completion modelmeter
)zsh";

constexpr const char* fish_script = R"fish(function modelmeter_fish_completion
    set -lx COMP_LINE (commandline -cp)
    set -l parts (commandline -cpo)
    eval "$parts[1] -sc query=fish" 2> /dev/null
end
complete -c modelmeter -x -a '(modelmeter_fish_completion)'
)fish";

// A command line that is being written.
struct Line {
  std::string command;
  std::map<std::string, Words> flags;  // with their values
  Words overrides;                     // before the last word
  std::string last;                    // "" where a new word begins
  std::string open_flag;               // whose value the last word is
};

const Flag* find_flag(const std::string& name) {
  for (const Flag& flag : config_flags()) {
    if (name == flag.name || name == flag.brief) return &flag;
  }
  return nullptr;
}

bool is_command(const std::string& name) {
  return std::any_of(commands().begin(), commands().end(), [&](const Command& c) { return c.name == name; });
}

void read(Line& line, const Words& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    const Flag* flag = words[i].size() > 1 && words[i][0] == '-' ? find_flag(name) : nullptr;
    if (flag == nullptr) {
      if (words[i][0] != '-') line.overrides.push_back(words[i]);
    } else if (flag->value.empty() || flag->value[0] == '[') {
      line.flags[flag->name];
    } else if (name.size() < words[i].size()) {
      line.flags[flag->name].push_back(words[i].substr(name.size() + 1));
    } else if (i + 1 < words.size()) {
      line.flags[flag->name].push_back(words[++i]);
    } else {
      line.open_flag = flag->name;
    }
  }
}

// The line without the program, which may be a script that an interpreter runs.
Line parsed(const std::string& text, const std::string& command) {
  std::istringstream in(text);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  const bool is_script = words.size() > 1 && words[0].substr(words[0].rfind('/') + 1).rfind("python", 0) == 0;
  if (!words.empty()) words.erase(words.begin(), words.begin() + (is_script ? 2 : 1));
  Line out;
  out.command = command;
  const bool ends = text.empty() || text.back() == ' ';
  if (!ends && !words.empty()) {
    out.last = words.back();
    words.pop_back();
  }
  if (!words.empty() && is_command(words[0])) {
    out.command = words[0];
    words.erase(words.begin());
  }
  read(out, words);
  return out;
}

Words that_begin(const Words& all, const std::string& start) {
  Words out;
  std::copy_if(all.begin(), all.end(), std::back_inserter(out),
               [&](const std::string& word) { return word.rfind(start, 0) == 0; });
  return out;
}

Words command_names(const std::string& start) {
  Words all;
  for (const Command& command : commands()) all.push_back(command.name);
  return that_begin(all, start);
}

Words split_choices(std::string text) {
  Words out;
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == '[' || c == ']'; }), text.end());
  std::istringstream in(text);
  for (std::string choice; std::getline(in, choice, '|');) out.push_back(choice);
  return out;
}

std::string only(const Line& line, const std::string& flag, const std::string& otherwise) {
  const auto found = line.flags.find(flag);
  return found == line.flags.end() || found->second.empty() ? otherwise : found->second.back();
}

config::Repository repository_of(const Line& line) {
  const auto more = line.flags.find("--config-dir");
  return config::Repository(only(line, "--config-path", find_data_root() + "/configs"),
                            more == line.flags.end() ? Words() : more->second);
}

Words flag_values(const Line& line, const std::string& flag, const std::string& start) {
  if (flag == "--config-name") return that_begin(repository_of(line).options(""), start);
  if (flag == "--config-dir" || flag == "--config-path") return config::complete_files(start.empty() ? "./" : start);
  return that_begin(split_choices(find_flag(flag)->value), start);
}

Words candidates(const Line& line) {
  if (line.command.empty()) return command_names(line.last);
  if (!line.open_flag.empty()) return flag_values(line, line.open_flag, line.last);
  if (!line.last.empty() && line.last[0] == '-') {
    const size_t equals = line.last.find('=');
    const Flag* flag = find_flag(line.last.substr(0, equals));
    if (equals != std::string::npos && flag != nullptr) {
      Words out = flag_values(line, flag->name, line.last.substr(equals + 1));
      for (std::string& value : out) value.insert(0, line.last.substr(0, equals + 1));
      return out;
    }
    Words all;
    for (const Flag& known : with_common(config_flags())) all.push_back(known.name);
    return that_begin(all, line.last);
  }
  config::ComposeOptions options;
  options.multirun = line.flags.count("--multirun") > 0;
  return config::complete(repository_of(line), only(line, "--config-name", ""), line.overrides, line.last, options);
}

// What is typed goes on with one of these. A line that is wrong has none: a shell has no place for an error.
void query(const std::string& shell, const std::string& command, const Words& arguments) {
  const char* text = std::getenv("COMP_LINE");
  if (text == nullptr) throw Error(ErrorCode::usage, "query: the line to complete is in COMP_LINE, which is not set");
  Words found;
  try {
    Line line = parsed(text, command);
    Line given;
    read(given, arguments);
    line.flags.insert(given.flags.begin(), given.flags.end());
    found = candidates(line);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): what cannot be read has no candidates
  }
  print(fmt::format("{}\n", fmt::join(found, shell == "fish" ? "\n" : " ")));
}

std::string uninstall_script(const std::string& shell) {
  if (shell == "fish") return "complete -e -c modelmeter\nfunctions -e modelmeter_fish_completion\n";
  if (shell == "zsh") return "compdef -d modelmeter\nunset -f modelmeter_zsh_completion\n";
  const char* before = std::getenv("_MODELMETER_OLD_COMP");
  const std::string old = before == nullptr || *before == '\0' ? "complete -r modelmeter" : before;
  return fmt::format("unset -f modelmeter_bash_completion\n{}\nunset _MODELMETER_OLD_COMP\n", old);
}

}  // namespace

bool asks_for_completion(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "-sc" || argument == "--shell-completion"; });
}

int shell_completion(const std::vector<std::string>& arguments) {
  const std::vector<std::string> subcommands = {"install", "uninstall", "query"};
  std::string what, shell, command;
  Words others;
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (equals != std::string::npos && std::find(subcommands.begin(), subcommands.end(), name) != subcommands.end()) {
      if (!what.empty()) throw Error(ErrorCode::usage, "-sc takes one of install=, uninstall= and query=");
      what = name;
      shell = argument.substr(equals + 1);
    } else if (command.empty() && others.empty() && is_command(argument)) {
      command = argument;
    } else {
      others.push_back(argument);
    }
  }
  if (what.empty())
    throw Error(ErrorCode::usage, "-sc takes one of install=, uninstall= and query=, e.g. install=bash");
  const std::map<std::string, const char*> scripts = {
      {"bash", bash_script}, {"fish", fish_script}, {"zsh", zsh_script}};
  const auto script = scripts.find(shell);
  if (script == scripts.end()) {
    throw Error(ErrorCode::usage, fmt::format("there is no completion for '{}'", shell), {},
                name_notes(shell, {"bash", "zsh", "fish"}, "there is one for"));
  }
  if (what == "install") {
    print(script->second);
  } else if (what == "uninstall") {
    print(uninstall_script(shell));
  } else {
    query(shell, command, others);
  }
  return 0;
}

}  // namespace modelmeter::cli
