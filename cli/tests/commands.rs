//! The commands as a person types them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use shared::testing::Folder;
use std::path::Path;
use std::process::{Command, Output};

fn vitals(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitals"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_demo_removes_nothing_that_it_did_not_make() {
    let folder = Folder::new("demo");
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    std::fs::write(photos.join("datadog.sqlite"), "a wedding").unwrap();
    let output = vitals(folder.path(), &["demo", "--hours", "0", "--out", "photos"], &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("photos is not empty"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(photos.join("datadog.sqlite")).unwrap(), "a wedding");
    // A folder of its own is made anew, and what somebody put beside the demo's files stays.
    for run in 0..2 {
        let output = vitals(folder.path(), &["demo", "--hours", "0", "--out", "mine/demo"], &[]);
        assert!(output.status.success(), "run {run}: {}", text(&output.stderr));
        let notes = folder.path().join("mine/demo/notes.txt");
        assert_eq!(notes.exists(), run == 1);
        std::fs::write(notes, "mine").unwrap();
    }
}

#[test]
fn every_collector_of_the_healthy_organisation_is_up_in_every_run() {
    let folder = Folder::new("healthy");
    let output = vitals(folder.path(), &["demo", "--hours", "2", "--out", "demo"], &[]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(" runs over 2 simulated hours"), "{said}");
    assert!(said.contains(" calls to upstreams, 0 runs with gaps."), "{said}");
}

const GITHUB: [(&str, &str); 2] = [("GITHUB_REPOS", "acme/web"), ("GITHUB_TOKEN", "t0k3n")];

#[test]
fn the_list_of_collectors_fails_when_the_store_does() {
    let folder = Folder::new("collectors");
    let output = vitals(folder.path(), &["collectors"], &GITHUB);
    assert!(output.status.success() && text(&output.stdout).contains("acme/web"), "{}", text(&output.stderr));
    std::fs::write(folder.path().join("state"), "no folder").unwrap();
    let output = vitals(folder.path(), &["collectors"], &[GITHUB[0], GITHUB[1], ("STATE_DIR", "state")]);
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert!(
        page.contains("  unknown acme/web  the store could not read") && page.contains("1 of 1 needs attention"),
        "{page}"
    );
}

#[test]
fn a_page_that_is_piped_has_no_colours_and_no_progress_and_says_of_each_failure_what_to_do() {
    let folder = Folder::new("check");
    let variables = [("DD_ENV", "test"), ("GITHUB_TOKEN", "t0k3n"), ("TERM", "xterm"), ("CLICOLOR_FORCE", "1")];
    let output = vitals(folder.path(), &["check", "github"], &variables);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(78), String::new()));
    let page = text(&output.stdout);
    assert!(page.ends_with("\n2 of 4 need attention\n") && !page.contains('\u{1b}'), "{page}");
    assert_eq!(page.matches("  failed  configuration  ").count(), 2, "{page}");
    assert_eq!(page.matches("  fix: set ").count(), 2, "{page}");
    assert!(
        page.contains("GITHUB_REPOS: names no repository, e.g.") && page.contains("DD_API_KEY: not set; "),
        "{page}"
    );
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
}

#[test]
fn wrong_use_is_answered_with_an_example_of_right_use() {
    let folder = Folder::new("use");
    for (arguments, example) in [
        (["collect", "--push"], "e.g. vitals collect github"),
        (["check", "nothing"], "e.g. vitals check github"),
        (["metrics", "nothing"], "`vitals metrics` lists all"),
    ] {
        let output = vitals(folder.path(), &arguments, &[]);
        assert!(!output.status.success() && text(&output.stderr).contains(example), "{}", text(&output.stderr));
    }
}

#[test]
fn a_time_in_the_future_and_an_unknown_target_are_refused() {
    let folder = Folder::new("times");
    for (arguments, expected) in [
        (
            ["collect", "github", "--at", "2999-01-01T00:00:00Z"],
            "vitals: --at: 2999-01-01T00:00:00Z lies in the future",
        ),
        (["collect", "github", "--target", "acme/none"], "vitals: --target: `acme/none` is not a configured target"),
        (["check", "github", "--target", "acme/none"], "vitals: --target: `acme/none` is not a configured target"),
    ] {
        let output = vitals(folder.path(), &arguments, &GITHUB);
        assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
        let problem = text(&output.stderr);
        assert!(problem.starts_with(expected) && problem.contains(", e.g. --"), "{problem}");
    }
}
