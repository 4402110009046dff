//! The rules of the house that a machine can check.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn vitals(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(arguments)
        .current_dir(root())
        .env_remove("CHECKS")
        .output()
        .unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Every file of these endings that is ours.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let ours = !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str());
            if path.is_dir() && ours {
                walk(&path, endings, found);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    found.sort();
    assert!(!found.is_empty());
    found
}

fn collectors() -> BTreeSet<String> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn catalogue() -> Vec<Value> {
    let output = vitals(&["metrics", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["metrics"].as_array().unwrap().clone()
}

#[test]
fn one_word_names_a_collector_everywhere() {
    let (registry, manifest) = (read("registry/src/lib.rs"), read("registry/Cargo.toml"));
    for name in collectors() {
        let folder = format!("functions/{name}");
        assert!(read(format!("{folder}/Cargo.toml")).contains(&format!("name = \"{name}\"")), "the crate of {folder}");
        assert!(
            read(format!("{folder}/src/lib.rs")).contains(&format!("const NAME: &'static str = \"{name}\"")),
            "NAME of {folder}"
        );
        assert!(registry.contains(&format!("{name}::")), "{name} is missing in the registry");
        assert!(
            manifest.lines().any(|line| line.starts_with(&format!("{name} = "))),
            "{name} is missing in the manifest of the registry"
        );
        for file in ["main.rs", "metrics.rs", "measure.rs", "upstream.rs"] {
            let folder_of_file = root().join(&folder).join("src").join(file.trim_end_matches(".rs"));
            assert!(
                root().join(&folder).join("src").join(file).exists() || folder_of_file.is_dir(),
                "{folder}/src/{file}"
            );
        }
        let proofs = read(format!("{folder}/tests/run/main.rs"));
        assert!(proofs.contains("kit::suite!("), "{folder} gives the proofs of the house");
    }
}

#[test]
fn metric_names_are_unique_well_formed_and_explained() {
    let mut names = BTreeSet::new();
    for row in catalogue() {
        let (name, help) = (row["metric"].as_str().unwrap(), row["help"].as_str().unwrap());
        assert!(shared::tags::is_name(name), "{name}");
        assert!(names.insert(name.to_owned()), "{name} is declared twice");
        assert!(
            help.len() >= 15 && help.len() <= 400 && help.is_ascii() && !help.contains('|'),
            "the help of {name}: {help}"
        );
        let tags: Vec<&str> = row["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
        assert!(tags.iter().all(|tag| tag.chars().all(|c| c.is_ascii_lowercase() || c == '_')), "{name}: {tags:?}");
        assert!(
            tags.iter().all(|tag| !["host", "device", "source", "service", "env", "version", "team"].contains(tag)
                || *tag == "version"),
            "{name}: {tags:?}"
        );
    }
    assert!(names.len() > 100, "{}", names.len());
}

#[test]
fn a_delta_and_a_total_never_share_a_name() {
    for row in catalogue() {
        let (name, kind) = (row["metric"].as_str().unwrap(), row["kind"].as_str().unwrap());
        if name.starts_with("collector.") {
            continue;
        }
        let last = name.rsplit('.').next();
        assert_eq!(last == Some("new"), kind == "count", "{name} is a {kind}");
    }
}

#[test]
fn members_are_put_together_only_where_the_result_is_true() {
    for row in catalogue() {
        let word = |key: &str| row[key].as_str().unwrap();
        let (name, fold) = (word("metric"), word("fold"));
        let last = name.rsplit('.').next().unwrap();
        // The rows of `metta.infra.state` are ages and flags of results; all others of the family are values of checks.
        let is_value = name.starts_with("metta.infra.") && !name.starts_with("metta.infra.state.") && last != "status";
        if word("kind") == "distribution" || is_value || last == "target" {
            assert_eq!(fold, "none", "{name}");
        }
        if ["status", "fom"].contains(&last) {
            assert_eq!(fold, "min", "{name}");
        }
        let is_statistic = [".p50", ".p90", ".p99", "avg"].iter().any(|part| name.contains(part));
        assert!(fold != "sum" || (word("unit") != "percent" && !is_statistic), "{name} has no sum");
    }
}

#[test]
fn every_check_is_in_the_list_that_changes_of_conditions_are_held_against() {
    let rows = catalogue();
    let names = rows.iter().filter_map(|row| row["metric"].as_str()?.strip_prefix("metta.infra.cron."));
    let checks: Vec<&str> = names.filter(|name| !name.ends_with(".target") && !name.ends_with(".status")).collect();
    assert!(checks.len() > 10);
    for check in checks {
        assert!(shared::CHECK_NAMES.contains(&check), "{check} is not in shared::CHECK_NAMES");
    }
}

#[test]
fn generated_files_are_what_the_catalogue_says() {
    let output = vitals(&["catalogue", "docs", "--check"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_events_for_local_invocation_are_events() {
    for path in files(&[".json"]).into_iter().filter(|path| path.parent().unwrap().ends_with("events")) {
        let event: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let wall = "2026-01-08T12:07:00Z".parse().unwrap();
        assert!(shared::Event::parse(&event, wall).is_ok(), "{}", path.display());
    }
    assert!(root().join("events/schedule.json").exists());
}

#[test]
fn a_module_opens_with_its_subject_and_stays_small() {
    for path in files(&[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with its subject", path.display());
        let before_tests = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        // Three hundred is the aim; a tenth more is let pass before a file has to be two.
        assert!(is_test || before_tests <= 330, "{} has {before_tests} lines before its tests", path.display());
    }
}

/// The functions of a file before its tests, with their lines.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let Some(place) = words.iter().position(|word| *word == "fn") else { continue };
        let head = ["pub", "crate", "super", "const", "async", "unsafe", ""];
        if code.starts_with("//") || !words[..place].iter().all(|word| head.contains(word)) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let end = lines[start..].iter().position(|line| {
            *line == format!("{indent}}}")
                || line.ends_with(';') && line.starts_with(indent) && !line[indent.len()..].starts_with(' ')
        });
        let name = words.get(place + 1).copied().unwrap_or_default();
        found.push((name.to_owned(), end.unwrap_or(0) + 1));
    }
    found
}

#[test]
fn a_function_has_forty_lines_at_most() {
    let mut seen = 0;
    for path in files(&[".rs"]) {
        let in_folder = |name: &str| path.components().any(|part| part.as_os_str() == name);
        // The pretend organisation's tables and tests may be long.
        if in_folder("sandbox") || in_folder("tests") || path.ends_with("tests.rs") || path.ends_with("fake.rs") {
            continue;
        }
        for (name, lines) in functions(&std::fs::read_to_string(&path).unwrap()) {
            assert!(lines <= 40, "{}: {name} has {lines} lines", path.display());
            seen += 1;
        }
    }
    assert!(seen > 800, "only {seen} functions");
}

#[test]
fn no_module_is_named_after_nothing() {
    for path in files(&[".rs"]) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!["util", "utils", "common", "helpers", "misc"].contains(&stem.as_str()), "{}", path.display());
    }
}

#[test]
fn the_text_is_plain_and_speaks_of_the_project_alone() {
    // Written in parts, so that this list does not find itself.
    let words = [
        ["ju", "st "],
        ["simp", "ly "],
        ["obvio", "usly "],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["crates", ".io"],
        ["pypi", ".org"],
        ["npmjs", ".org"],
    ]
    .map(|parts| parts.concat());
    for path in files(&[".rs", ".md", ".toml", ".py", ".mjs", ".graphql", ".sh", ".yml", "Makefile"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            for word in &words {
                assert!(!line.contains(word), "{}:{}: `{word}`", path.display(), number + 1);
            }
        }
        assert!(
            !text.contains(&["#[al", "low("].concat()),
            "{} allows a lint; the house expects it, with a reason",
            path.display()
        );
    }
}

#[test]
fn the_links_of_the_documents_lead_somewhere() {
    for path in files(&[".md"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if file.is_empty() || file.starts_with("http") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{}: {target}", path.display());
        }
    }
}

#[test]
fn wrong_use_and_wrong_configuration_have_exit_codes_of_their_own() {
    assert_eq!(vitals(&["collect"]).status.code(), Some(2));
    assert_eq!(vitals(&["collect", "nothing"]).status.code(), Some(2));
    assert_eq!(vitals(&["no-such-command"]).status.code(), Some(2));
    let output = Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(["collect", "github"])
        .current_dir(std::env::temp_dir())
        .env_remove("GITHUB_REPOS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{text}");
    assert!(text.contains("GITHUB_") && text.contains("e.g. "), "{text}");
}
