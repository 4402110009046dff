//! Words, titles and descriptions; some mean something to a formula and more only look so.

use super::dice::Dice;

/// An invented word.
pub(super) fn word(dice: &mut Dice) -> String {
    const FIRST: [&str; 12] = ["ar", "bel", "cor", "dan", "el", "fen", "gar", "hol", "ing", "jor", "kel", "lun"];
    const LAST: [&str; 12] = ["a", "bert", "cy", "dor", "en", "fi", "gard", "hild", "is", "jo", "ka", "lo"];
    format!("{}{}", dice.pick(&FIRST), dice.pick(&LAST))
}

/// A path that several changes are likely to share.
pub(super) fn path(dice: &mut Dice) -> String {
    format!("src/{}/part_{}.rs", dice.pick(&["core", "web", "store", "jobs"]), dice.between(0, 70))
}

/// Title and body of a change.
pub(super) fn change(dice: &mut Dice) -> (String, String) {
    let word = word(dice);
    let title = match dice.between(0, 99) {
        0 => format!("Hotfix: {word}"),
        1 => format!("hot-fix for the {word}"),
        2 => format!("Apply HOTFIXES to {word}"),
        3 => format!("Note what was hotfixed in {word}"),
        4 => format!("Rename the hotfix_{word} flag"),
        5 => format!("Revert \"Add {word}\""),
        // What reverts a revert says no more in its body: whether that would be a revert is not decided anywhere.
        6 => return (format!("Revert \"Revert \"Add {word}\"\""), "Applies it again.".to_owned()),
        7 => format!("Please do not revert {word}"),
        8 => format!("revert: {word}"),
        9 => format!("revert(api): drop {word}"),
        10 => format!("Reverted wording of {word}"),
        11 => format!("Fix \"Revert \" button of {word}"),
        _ => format!("Change {word}"),
    };
    let body = match dice.between(0, 39) {
        0 => format!("This reverts commit {}.", dice.sha()),
        1 => format!("It was too slow.\r\n\r\nThis reverts commit {}.\r\n", dice.sha()),
        2 => format!("> This reverts commit {}.\n\nNo, it does not.", dice.sha()),
        3 => "It was reverted once; a hotfix came before.".to_owned(),
        4 | 5 => String::new(),
        _ => format!("About {word}."),
    };
    (title, body)
}
