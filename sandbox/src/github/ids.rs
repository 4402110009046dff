//! Identifiers: global node ids in GitHub's present format, derived shas and derived numbers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What a global node id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A repository.
    Repository,
    /// A pull request.
    PullRequest,
    /// An issue.
    Issue,
    /// A commit.
    Commit,
    /// A label.
    Label,
    /// A deployment.
    Deployment,
    /// A person's account.
    User,
    /// An app's account.
    Bot,
    /// An organisation's account.
    Organization,
    /// A workflow run.
    Run,
    /// A job of a workflow run.
    Job,
    /// A workflow.
    Workflow,
    /// A check suite.
    CheckSuite,
    /// An activity of a repository.
    Activity,
}

const PREFIXES: [(Kind, &str); 14] = [
    (Kind::Repository, "R"),
    (Kind::PullRequest, "PR"),
    (Kind::Issue, "I"),
    (Kind::Commit, "C"),
    (Kind::Label, "LA"),
    (Kind::Deployment, "DE"),
    (Kind::User, "U"),
    (Kind::Bot, "BOT"),
    (Kind::Organization, "O"),
    (Kind::Run, "WFR"),
    (Kind::Job, "CR"),
    (Kind::Workflow, "W"),
    (Kind::CheckSuite, "CS"),
    (Kind::Activity, "PSH"),
];

fn prefix(kind: Kind) -> &'static str {
    PREFIXES.iter().find(|known| known.0 == kind).map_or("X", |known| known.1)
}

/// A global node id: a prefix for the kind, then a packed list of numbers and perhaps a text.
pub fn node_id(kind: Kind, numbers: &[u64], text: &str) -> String {
    let length = numbers.len() + 1 + usize::from(!text.is_empty());
    let mut packed = vec![0x90 | u8::try_from(length).unwrap_or(15), 0];
    for number in numbers {
        if let Ok(small) = u32::try_from(*number) {
            packed.push(0xce);
            packed.extend(small.to_be_bytes());
        } else {
            packed.push(0xcf);
            packed.extend(number.to_be_bytes());
        }
    }
    if !text.is_empty() {
        packed.push(0xda);
        packed.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        packed.extend(text.as_bytes());
    }
    format!("{}_{}", prefix(kind), URL_SAFE_NO_PAD.encode(packed))
}

/// What a global node id says, if it is one.
pub fn parse(id: &str) -> Option<(Kind, Vec<u64>, String)> {
    let (name, body) = id.split_once('_')?;
    let kind = PREFIXES.iter().find(|known| known.1 == name)?.0;
    let packed = URL_SAFE_NO_PAD.decode(body).ok()?;
    let mut rest = packed.get(2..)?;
    let (mut numbers, mut text) = (Vec::new(), String::new());
    while let [tag, tail @ ..] = rest {
        rest = match tag {
            0xce => {
                let (bytes, tail) = tail.split_first_chunk::<4>()?;
                numbers.push(u64::from(u32::from_be_bytes(*bytes)));
                tail
            }
            0xcf => {
                let (bytes, tail) = tail.split_first_chunk::<8>()?;
                numbers.push(u64::from_be_bytes(*bytes));
                tail
            }
            0xda => {
                text = String::from_utf8(tail.get(2..)?.to_vec()).ok()?;
                &[]
            }
            _ => return None,
        };
    }
    Some((kind, numbers, text))
}

/// 40 hexadecimal digits that stand for these words, for whatever the model leaves without a sha.
pub fn sha_of(words: &[&str]) -> String {
    hex(&Sha256::digest(words.join("\n").as_bytes())[..20])
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A number that stands for a name, below 2^31 because GraphQL's `Int` ends there.
pub fn number_of_name(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    let word = digest.iter().take(4).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    word & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_was_made_of() {
        for (kind, _) in PREFIXES {
            let id = node_id(kind, &[7, 1 << 40], "refs/heads/a");
            assert_eq!(parse(&id), Some((kind, vec![7, 1 << 40], "refs/heads/a".to_owned())));
        }
        assert_eq!(node_id(Kind::Repository, &[1_296_269], ""), "R_kgDOABPHjQ");
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse("PR_!!"), None);
    }
}
