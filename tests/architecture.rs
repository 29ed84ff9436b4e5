//! The rules of layout that no compiler checks: who imports whom, where platforms are told apart, how long a file is,
//! what a core must not touch. Every failure quotes its rule and says where the code should go instead.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom, by top-level module of `src`.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("sync", &["wire", "base"]),
    ("gossip", &["wire", "base"]),
    ("mesh", &["wire", "base"]),
    ("signaling", &["wire", "base"]),
    ("engine", &["sync", "gossip", "mesh", "signaling", "wire", "base"]),
    ("storage", &["wire", "base"]),
    ("transport", &["signaling", "wire", "base"]),
    ("node", &["engine", "sync", "gossip", "mesh", "signaling", "transport", "storage", "wire", "base"]),
    ("wasm", &["node", "base"]),
    ("server", &["node", "transport", "storage", "wire", "base"]),
    ("bin", &["server"]),
];

/// The modules that do no I/O: everything enters and leaves them as an argument or a return value.
const SANS_IO: &[&str] = &["base", "wire", "sync", "gossip", "mesh", "signaling", "engine"];

/// The only files that tell the browser from other platforms.
const SWITCH_POINTS: &[&str] = &[
    "lib.rs",
    "base/trace/mod.rs",
    "node/clock.rs",
    "node/spawn.rs",
    "transport/mod.rs",
    "transport/tabs/mod.rs",
    "transport/websocket/mod.rs",
    "storage/mod.rs",
];

/// The only file that reads clocks and ambient randomness.
const CLOCK: &str = "node/clock.rs";

const MAX_LINES: usize = 800;

#[test]
fn imports_follow_the_table() {
    expect_clean(imports);
}

#[test]
fn platforms_are_told_apart_at_the_switch_points_only() {
    expect_clean(platform_switches);
}

#[test]
fn files_are_short() {
    expect_clean(length);
}

#[test]
fn files_say_what_they_are() {
    expect_clean(first_line);
}

#[test]
fn cores_are_pure_and_ordered() {
    expect_clean(purity);
}

#[test]
fn bans_are_lifted_in_the_clock_only() {
    expect_clean(lifted_bans);
}

// ── The rules: each says what is wrong with one file ──────────────────────────────────────────────────────────────

fn imports(file: &Source) -> Vec<String> {
    let from = file.module();
    // The root module only declares and re-exports.
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == from) else {
        let known = file.path == "lib.rs";
        return if known { vec![] } else { vec![file.says(1, "is in no known module: add it to MAY_IMPORT")] };
    };
    let wrong = |(line, to): (usize, String)| {
        if to == "*" {
            return Some(
                file.says(line, "imports everything from the crate root. Rule: name the module you import from"),
            );
        }
        let is_module = MAY_IMPORT.iter().any(|(name, _)| *name == to);
        (is_module && to != from && !allowed.contains(&to.as_str())).then(|| {
            let allowed = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
            file.says(line, &format!("imports {to}. Rule: {from} imports {allowed}. {}", remedy(from)))
        })
    };
    file.top_level_imports().into_iter().filter_map(wrong).collect()
}

/// Where code goes that `module` must not hold.
fn remedy(module: &str) -> &'static str {
    match module {
        "base" | "wire" => "Move the code that needs it up into the module that owns that type",
        "sync" | "gossip" | "mesh" | "signaling" => {
            "Let engine carry it between the cores, or move the shared type down into wire or base"
        }
        "engine" => "Return it as an Output and let node do it",
        "storage" | "transport" => "Let node pass it in, or move the shared type down into wire or base",
        "wasm" => "Decide it in node; bindings convert and forward",
        "bin" => "Put it into server and call that",
        _ => "Give node a method for it",
    }
}

fn platform_switches(file: &Source) -> Vec<String> {
    if SWITCH_POINTS.contains(&file.path.as_str()) {
        return vec![];
    }
    file.all_of(&["wasm_browser", "target_family", "target_os", "target_arch"])
        .map(|token| {
            file.says(
                token.line,
                &format!(
                    "names {}. Rule: only {} tell platforms apart. Put the difference into twin files behind one",
                    token.text,
                    SWITCH_POINTS.join(", ")
                ),
            )
        })
        .collect()
}

fn length(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count() - file.test_lines();
    if lines <= MAX_LINES || file.path.ends_with("tests.rs") {
        return vec![];
    }
    let problem =
        format!("has {lines} lines without tests. Rule: at most {MAX_LINES}, better 400. Split it by what it does");
    vec![file.says(1, &problem)]
}

fn first_line(file: &Source) -> Vec<String> {
    if file.text.starts_with("//! ") {
        return vec![];
    }
    vec![file.says(1, "does not say what it is. Rule: the first line is `//! What this module does`")]
}

fn purity(file: &Source) -> Vec<String> {
    const BANNED: &[(&[&str], &str)] = &[
        (
            &["HashMap", "HashSet"],
            "cores iterate only ordered maps, else a seed does not replay. Use BTreeMap or BTreeSet",
        ),
        (
            &["Instant", "SystemTime"],
            "cores never read a clock. Take `now: Timestamp` as an argument; node::clock reads it",
        ),
        (
            &["thread_rng", "OsRng", "SysRng", "getrandom", "fastrand", "rand"],
            "cores own a seeded ChaCha8Rng and no other randomness. Take the seed as an argument; node::clock draws it",
        ),
        (
            &["async", "await", "tokio", "futures", "libp2p", "wasm_bindgen", "web_sys", "js_sys", "redb"],
            "cores do no I/O and do not wait. Return an Output and let node do it",
        ),
    ];
    if !SANS_IO.contains(&file.module()) {
        return vec![];
    }
    let mut problems: Vec<String> = BANNED
        .iter()
        .flat_map(|(words, rule)| {
            file.all_of(words).map(move |token| file.says(token.line, &format!("names {}. Rule: {rule}", token.text)))
        })
        .collect();
    let loud = file
        .tokens
        .windows(2)
        .filter(|pair| ["info", "warn", "error"].contains(&&*pair[0].text) && pair[1].text == "!");
    problems.extend(loud.map(|pair| {
        let problem =
            format!("logs with {}!. Rule: cores never log above debug. Return an Event and let node log", pair[0].text);
        file.says(pair[0].line, &problem)
    }));
    problems
}

fn lifted_bans(file: &Source) -> Vec<String> {
    if file.path == CLOCK {
        return vec![];
    }
    let problem = format!("lifts a ban of clippy.toml. Rule: only {CLOCK} may. Add what you need there and call it");
    file.all_of(&["disallowed_methods"]).map(|token| file.says(token.line, &problem)).collect()
}

// ── Reading sources ───────────────────────────────────────────────────────────────────────────────────────────────

/// A name, a `::`, or any other single character of code; comments and literals are left out.
#[derive(Debug)]
struct Token {
    text: String,
    line: usize,
}

/// One file below `src`.
struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    text: String,
    tokens: Vec<Token>,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), tokens: lex(text) }
    }

    /// The top-level module this file belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    fn says(&self, line: usize, problem: &str) -> String {
        format!("src/{}:{line} {problem}.", self.path)
    }

    fn all_of<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = &'a Token> {
        self.tokens.iter().filter(|token| words.contains(&&*token.text))
    }

    /// How many modules deep the file itself is: 0 for the root, 1 for `sync/mod.rs`, 2 for `sync/log.rs`.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("mod.rs") || self.path == "lib.rs" { parts - 1 } else { parts }
    }

    /// Every `(line, name)` directly below the crate root that a path names; `*` for a glob of the root itself.
    fn top_level_imports(&self) -> Vec<(usize, String)> {
        let mut found = vec![];
        let mut braces = 0;
        let mut inline_modules = vec![];
        let text = |at: usize| self.tokens.get(at).map_or("", |token| &*token.text);
        let mut at = 0;
        while at < self.tokens.len() {
            match text(at) {
                "{" => braces += 1,
                "}" => {
                    braces -= 1;
                    inline_modules.pop_if(|opened_at| *opened_at == braces);
                }
                "mod" if text(at + 2) == "{" => inline_modules.push(braces),
                // `use peersync::…` is how the binary sees the crate.
                "crate" | "peersync" if text(at + 1) == "::" && text(at.wrapping_sub(1)) != "::" => {
                    self.names_at(at + 2, &mut found)
                }
                "super" if text(at + 1) == "::" && text(at.wrapping_sub(1)) != "::" => {
                    let mut left = self.depth() + inline_modules.len();
                    while text(at) == "super" && text(at + 1) == "::" {
                        left = left.saturating_sub(1);
                        at += 2;
                    }
                    if left == 0 {
                        self.names_at(at, &mut found);
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        found
    }

    /// The first name of the path at `at`, or of every path in the group there.
    fn names_at(&self, at: usize, found: &mut Vec<(usize, String)>) {
        if self.tokens[at].text != "{" {
            found.push((self.tokens[at].line, self.tokens[at].text.clone()));
            return;
        }
        let mut nested = 0;
        for pair in self.tokens[at..].windows(2) {
            match &*pair[0].text {
                "{" => nested += 1,
                "}" => nested -= 1,
                _ => {}
            }
            if nested == 0 {
                return;
            }
            if nested == 1 && ["{", ","].contains(&&*pair[0].text) && !["}", "{"].contains(&&*pair[1].text) {
                found.push((pair[1].line, pair[1].text.clone()));
            }
        }
    }

    /// Lines inside `#[cfg(test)] mod … { … }`.
    fn test_lines(&self) -> usize {
        let starts = |at: &usize| {
            self.tokens[*at..].iter().map(|token| &*token.text).take(8).eq("# [ cfg ( test ) ] mod".split(' '))
        };
        let lines = |at: usize| {
            let mut nested = 0;
            let mut end = self.tokens[at].line;
            for token in &self.tokens[at + 8..] {
                match &*token.text {
                    "{" => nested += 1,
                    "}" => nested -= 1,
                    ";" if nested == 0 => {}
                    _ => continue,
                }
                end = token.line;
                if nested == 0 {
                    break;
                }
            }
            end - self.tokens[at].line + 1
        };
        (0..self.tokens.len()).filter(starts).map(lines).sum()
    }
}

/// Splits Rust into tokens. Knows as much of the language as the rules above need.
fn lex(text: &str) -> Vec<Token> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = vec![];
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let raw_hashes =
            rest.trim_start_matches('b').strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let raw_start = raw_hashes.filter(|hashes| rest.trim_start_matches('b')[1 + hashes..].starts_with('"'));
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_start {
            let open = rest.find('"').unwrap() + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if first == '"' {
            closing(&rest[1..], '"') + 1
        } else if first == '\'' {
            // A lifetime has no closing quote right behind its first character.
            let is_literal = rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'');
            if is_literal { closing(&rest[1..], '\'') + 1 } else { 1 }
        } else {
            let name = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let length = if name > 0 {
                name
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(Token { text: rest[..length].to_owned(), line });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// How many bytes of a literal's inside there are, with its closing `quote`.
fn closing(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn expect_clean(rule: fn(&Source) -> Vec<String>) {
    let files = sources();
    assert!(files.iter().any(|file| file.path == "lib.rs"), "the sources were not found");
    let problems: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

// ── The rules see what they should, and nothing else ──────────────────────────────────────────────────────────────

fn problems(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    rule(&Source::new(path, text))
}

#[test]
fn a_wrong_import_is_seen_however_it_is_written() {
    for text in [
        "use crate::gossip::Session;",
        "use crate::{base::Hash, gossip::{Session, Link}};",
        "use crate::{\n    base::{Hash},\n    gossip,\n};",
        "fn f() -> crate::gossip::Session {}",
        "use super::super::gossip::Session;",
        "mod inner { mod deeper { use super::super::super::super::gossip; } }",
    ] {
        let found = problems(imports, "sync/log.rs", text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("sync imports wire, base") && found[0].contains("Let engine carry it"), "{found:?}");
    }
    assert_eq!(problems(imports, "sync/mod.rs", "use super::engine::Engine;").len(), 1);
    assert_eq!(problems(imports, "sync/mod.rs", "use crate::*;").len(), 1);
    assert_eq!(problems(imports, "bin/peersync.rs", "use peersync::node::Node;").len(), 1);
    assert_eq!(problems(imports, "surprise/mod.rs", "").len(), 1);
}

#[test]
fn a_lawful_import_is_not_seen() {
    for text in [
        "use crate::{base::{Hash, hash}, wire};",
        "use crate::sync::log;",
        "use super::record::gossip;",
        "pub(in crate::sync) fn f() {} pub(super) fn g() {}",
        "// use crate::gossip;\n/* crate::engine */ const A: &str = \"crate::gossip\"; const B: &str = r#\"crate::\"gossip\"#;",
        "fn f<'a>(c: char) -> &'a str { if c == '\"' || c == '\\'' { g() } }",
        "mod tests { use super::*; mod a { use super::super::engine; } }",
    ] {
        assert_eq!(problems(imports, "sync/log.rs", text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_platform_switch_elsewhere_is_seen() {
    let text = "#[cfg(not(wasm_browser))]\nmod native;";
    assert!(problems(platform_switches, "storage/mod.rs", text).is_empty());
    let found = problems(platform_switches, "storage/memory.rs", text);
    assert!(
        found.len() == 1 && found[0].contains("storage/memory.rs:1") && found[0].contains("twin files"),
        "{found:?}"
    );
    assert_eq!(problems(platform_switches, "node/mod.rs", "if cfg!(target_os = \"linux\") {}").len(), 1);
}

#[test]
fn a_long_file_is_seen_and_its_tests_do_not_count() {
    let code = "fn f() {}\n".repeat(MAX_LINES);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
    assert!(problems(length, "sync/log.rs", &format!("{code}{tests}")).is_empty());
    assert!(problems(length, "sync/log.rs", &format!("{code}#[cfg(test)]\nmod tests;\n")).is_empty());
    assert_eq!(problems(length, "sync/log.rs", &format!("{tests}{code}fn g() {{}}\n")).len(), 1);
    assert!(problems(length, "sync/tests.rs", &code.repeat(2)).is_empty());
}

#[test]
fn a_file_without_a_first_line_is_seen() {
    assert_eq!(problems(first_line, "sync/log.rs", "use std::fmt;\n//! Late.").len(), 1);
    assert!(problems(first_line, "sync/log.rs", "//! The log of one writer.\n").is_empty());
}

#[test]
fn an_impure_core_is_seen() {
    for text in [
        "use std::collections::HashMap;",
        "let now = std::time::Instant::now();",
        "let x: u8 = rand::random();",
        "async fn f() {}",
        "tracing::warn!(\"late\");",
    ] {
        assert_eq!(problems(purity, "gossip/mod.rs", text).len(), 1, "{text}");
        assert!(problems(purity, "server/mod.rs", text).is_empty(), "{text}");
    }
    assert!(problems(purity, "gossip/mod.rs", "tracing::debug!(\"HashMap\"); let error = !warn;").is_empty());
}

#[test]
fn a_lifted_ban_is_seen() {
    let text = "#[expect(clippy::disallowed_methods, reason = \"here\")]";
    assert_eq!(problems(lifted_bans, "server/mod.rs", text).len(), 1);
    assert!(problems(lifted_bans, CLOCK, text).is_empty());
}
