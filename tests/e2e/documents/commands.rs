//! The commands in a document, read as a shell reads them, but not run.

/// A command of one of our programs, with its arguments without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub program: String,
    pub arguments: Vec<String>,
}

/// Programs whose flags are checked.
const PROGRAMS: [&str; 3] = ["kubectl", "helm", "keyreeve"];
/// What may stand before a command.
const BEFORE: [&str; 12] =
    ["$", "sudo", "env", "exec", "if", "while", "until", "do", "then", "else", "!", "time"];

/// All commands in a script of these programs. What is no command of a shell is passed over.
pub fn commands(script: &str) -> Vec<Command> {
    let mut found = Vec::new();
    for words in statements(script) {
        let is_before = |word: &&String| {
            BEFORE.contains(&word.as_str())
                || word.split_once('=').is_some_and(|(name, _)| {
                    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                })
        };
        let mut words: Vec<String> = words.iter().skip_while(is_before).cloned().collect();
        let by_cargo = ["cargo", "run", "--"];
        if words.len() > 3 && words[..3] == by_cargo {
            words.splice(..3, ["keyreeve".to_owned()]);
        }
        if words.first().is_some_and(|word| PROGRAMS.contains(&word.as_str())) {
            let program = words.remove(0);
            found.push(Command { program, arguments: words });
        }
    }
    found
}

/// The words of each simple command; what is in `$(…)` is a command of its own.
fn statements(script: &str) -> Vec<Vec<String>> {
    let mut reader = Reader { text: script.chars().collect(), at: 0, found: Vec::new() };
    reader.read(None);
    reader.found
}

struct Reader {
    text: Vec<char>,
    at: usize,
    found: Vec<Vec<String>>,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let next = self.text.get(self.at).copied();
        self.at += 1;
        next
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    /// Reads until the closing character.
    fn read(&mut self, close: Option<char>) {
        let mut words: Vec<String> = Vec::new();
        let mut word: Option<String> = None;
        let mut heredocs: Vec<String> = Vec::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == close => break,
                '\\' if self.peek() == Some('\n') => {
                    self.at += 1;
                    words.extend(word.take());
                }
                '\\' => word.get_or_insert_default().extend(self.next()),
                '\'' => {
                    let word = word.get_or_insert_default();
                    while let Some(c) = self.next().filter(|c| *c != '\'') {
                        word.push(c);
                    }
                }
                '"' => self.quoted(word.get_or_insert_default()),
                '$' if self.peek() == Some('(') => {
                    self.at += 1;
                    self.read(Some(')'));
                    word.get_or_insert_default().push('$');
                }
                '#' if word.is_none() => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '<' if self.text[self.at..].starts_with(&['<', '<']) => self.at += 2,
                '<' if self.peek() == Some('<') => {
                    words.extend(word.take());
                    self.at += 1;
                    while self.peek().is_some_and(|c| c == '-' || c == ' ') {
                        self.at += 1;
                    }
                    let mut mark = String::new();
                    while let Some(c) = self.peek().filter(|c| !c.is_whitespace()) {
                        mark.extend((!matches!(c, '\'' | '"')).then_some(c));
                        self.at += 1;
                    }
                    heredocs.push(mark);
                }
                '|' | ';' | '&' | '(' | '\n' => {
                    words.extend(word.take());
                    self.found.push(std::mem::take(&mut words));
                    if c == '\n' {
                        heredocs.drain(..).for_each(|mark| self.skip_heredoc(&mark));
                    }
                }
                c if c.is_whitespace() => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        self.found.push(words);
    }

    fn quoted(&mut self, word: &mut String) {
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => word.extend(self.next()),
                '$' if self.peek() == Some('(') => {
                    self.at += 1;
                    self.read(Some(')'));
                    word.push('$');
                }
                c => word.push(c),
            }
        }
    }

    fn skip_heredoc(&mut self, mark: &str) {
        while self.at < self.text.len() {
            let rest: String = self.text[self.at..].iter().take_while(|c| **c != '\n').collect();
            self.at += rest.chars().count() + 1;
            if rest.trim() == mark {
                return;
            }
        }
    }
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let read = |script: &str| -> Vec<String> {
        let line =
            |command: Command| format!("{} {}", command.program, command.arguments.join("|"));
        commands(script).into_iter().map(line).collect()
    };
    assert_eq!(read("kubectl get tnt # a list"), ["kubectl get|tnt"]);
    assert_eq!(read("A=1 kubectl \\\n  get 'a b' | jq -r '.x | y'"), ["kubectl get|a b"]);
    assert_eq!(
        read("kubectl annotate x r=\"$(helm list --all)\" --overwrite"),
        ["helm list|--all", "kubectl annotate|x|r=$|--overwrite"]
    );
    assert_eq!(read("psql <<< \"x\"\nif ! helm list; then x; fi"), ["helm list"]);
    assert_eq!(
        read("kubectl apply -f - <<END\nkubectl no: \"\nEND\ncargo run -- crds"),
        ["kubectl apply|-f|-", "keyreeve crds"]
    );
}
