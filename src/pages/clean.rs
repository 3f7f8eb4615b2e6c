//! Text that someone else wrote, made harmless before a person reads it (SEC-032).
//!
//! HTML is escaped by the templates. What is left is text that *looks* like something else: it
//! turns its neighbours around (bidi overrides), hides (zero-width, tags), stacks marks over other
//! lines, or drowns the page. The same treatment holds for every text that we did not write.

/// Longest name that is shown, in characters.
pub const LONGEST_NAME: usize = 80;

/// Longest sentence of someone else that is shown, in characters.
const LONGEST_SENTENCE: usize = 400;

/// Longest identifier or URL that is shown, in characters; the longest redirect URI fits.
const LONGEST_IDENTIFIER: usize = 2048;

/// More combining marks than this on one letter are no script's habit.
const MOST_MARKS: usize = 3;

/// What a client without a presentable name is called.
pub const UNNAMED: &str = "an application without a name";

/// A client's name: as a [`label`], and [`UNNAMED`] if nothing can be read in it.
#[must_use]
pub fn client_name(raw: &str) -> String {
    let shown = label(raw);
    if shown.is_empty() { UNNAMED.to_owned() } else { shown }
}

/// A few words: at most [`LONGEST_NAME`] characters.
#[must_use]
pub fn label(raw: &str) -> String {
    text(raw, LONGEST_NAME)
}

/// A sentence or two.
#[must_use]
pub fn sentence(raw: &str) -> String {
    text(raw, LONGEST_SENTENCE)
}

/// A URL or an identifier: whole, because its end may be what matters.
#[must_use]
pub fn identifier(raw: &str) -> String {
    text(raw, LONGEST_IDENTIFIER)
}

/// Text of at most `longest` characters, without what cannot be seen, on one line.
#[must_use]
pub fn text(raw: &str, longest: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let mut marks = 0;
    let mut gap = false;
    for c in raw.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        // A mark with no letter before it would sit on whatever stands before the text.
        if marks > MOST_MARKS || (marks > 0 && (out.is_empty() || gap)) {
            continue;
        }
        let needs_gap = gap && !out.is_empty();
        gap = false;
        if length + usize::from(needs_gap) + 1 > longest {
            return shortened(out, longest);
        }
        if needs_gap {
            out.push(' ');
            length += 1;
        }
        out.push(c);
        length += 1;
    }
    out
}

/// `text` with an ellipsis, together at most `longest` characters.
fn shortened(mut text: String, longest: usize) -> String {
    let kept = text.char_indices().nth(longest.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    text.truncate(kept);
    text.truncate(text.trim_end().len());
    text.push('…');
    text
}

/// Characters that show nothing, change how others are shown, or have no meaning that is
/// the same everywhere (Unicode's Cc, Cf, `Default_Ignorable_Code_Point`, blanks, private use).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' // zero-width and direction marks
            | '\u{202A}'..='\u{202E}' // embeddings and overrides
            | '\u{2060}'..='\u{206F}' // word joiner, isolates, deprecated format controls
            | '\u{2800}' | '\u{3164}' | '\u{FFA0}' // blanks that are no white space
            | '\u{E000}'..='\u{F8FF}' // private use: a font decides
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFF0}'..='\u{FFFF}'
            | '\u{13430}'..='\u{1345F}' | '\u{16FE4}' | '\u{1BCA0}'..='\u{1BCAF}'
            | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{10FFFF}' // tags, more variation selectors, private use
        )
}

/// Marks that can be piled up on any letter.
fn is_combining_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_032_what_cannot_be_seen_is_removed() {
        let hidden = [
            "\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}\u{200E}\u{200F}\u{61C}",
            "\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{AD}\u{34F}\u{180E}\u{2800}\u{3164}\u{FFA0}\u{115F}",
            "\0\u{7}\u{1b}\u{7f}\u{85}\u{9b}\u{E0001}\u{E0041}\u{E007F}\u{FE0F}\u{E000}\u{F0000}\u{FFFF}",
        ];
        for run in hidden {
            for c in run.chars() {
                assert_eq!(client_name(&c.to_string()), UNNAMED, "{c:?}");
                let around = client_name(&format!("Cl{c}aude"));
                assert!(around == "Claude" || (c.is_whitespace() && around == "Cl aude"), "{c:?}: {around}");
            }
            assert_eq!(client_name(run), UNNAMED);
        }
        assert_eq!(client_name("\u{202E}edualC\u{202C}"), "edualC");
    }

    #[test]
    fn sec_032_one_line_and_single_spaces() {
        assert_eq!(client_name("  A\r\n\t b\u{a0}\u{2003}c\u{2028}d\u{3000} "), "A b c d");
        assert_eq!(client_name(" \r\n "), UNNAMED);
        assert_eq!(client_name(""), UNNAMED);
    }

    #[test]
    fn sec_032_long_text_is_cut_on_a_character() {
        for unit in ["x", "é", "漢", "🙂", "a ", "אב"] {
            let cut = client_name(&unit.repeat(10_000));
            assert!(cut.chars().count() <= LONGEST_NAME, "{cut}");
            assert!(cut.ends_with('…') && !cut.ends_with(" …"), "{cut}");
        }
        let exact = "x".repeat(LONGEST_NAME);
        assert_eq!(client_name(&exact), exact);
        assert_eq!(client_name(&format!("{exact}  \u{200B}")), exact);
        assert_eq!(text("abc", 1), "…");
        assert_eq!(text("abc", 0), "…");
    }

    #[test]
    fn sec_032_marks_do_not_pile_up() {
        let piled = format!("a{}b", "\u{301}".repeat(500));
        assert_eq!(client_name(&piled), "a\u{301}\u{301}\u{301}b");
        assert_eq!(client_name("\u{301}\u{489}"), UNNAMED);
        assert_eq!(client_name("é e\u{301} \u{301}x"), "é e\u{301} x");
    }

    #[test]
    fn names_of_every_script_stay_as_they_are() {
        for kept in ["Claude", "Müller & Söhne", "שלום", "تطبيق", "応用", "हिन्दी", "Ứng dụng", "🙂 <b>\"'"]
        {
            assert_eq!(client_name(kept), kept);
        }
    }
}
