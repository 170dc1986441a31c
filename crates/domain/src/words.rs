//! The words in braces that commands and environments of `windlass.yml` may have, such as `{revision}`.

/// Fills in the words that are known. Other words in braces are an error; braces around anything else, such as JSON,
/// stay.
///
/// # Errors
/// A sentence that names the word and those that there are.
pub fn fill(text: &str, known: &[(&str, &str)]) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        rest = &rest[open..];
        let Some(word) = rest[1..].split_once('}').map(|(word, _)| word).filter(|word| is_word(word)) else {
            filled.push('{');
            rest = &rest[1..];
            continue;
        };
        let Some((_, value)) = known.iter().find(|(name, _)| *name == word) else {
            return Err(format!("unknown placeholder {{{word}}} in {text:?}: there are {}", listed(known)));
        };
        filled.push_str(value);
        rest = &rest[word.len() + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn listed(known: &[(&str, &str)]) -> String {
    let names: Vec<String> = known.iter().map(|(name, _)| format!("{{{name}}}")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        Some((last, _)) => last.clone(),
        None => "none".to_owned(),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_and_unknown_ones_refused() {
        let known = [("port", "81"), ("dir", "/srv/{x}"), ("revision", "r7")];
        let cases = [
            ("plain", Some("plain")),
            ("--port={port}", Some("--port=81")),
            ("{revision}@{port}{port}", Some("r7@8181")),
            ("{dir}/conf", Some("/srv/{x}/conf")),
            ("{\"a\": {\"b\": 1}}", Some("{\"a\": {\"b\": 1}}")),
            ("{}{ {PORT} {port", Some("{}{ {PORT} {port")),
            ("{prot}", None),
            ("{port}{host}", None),
        ];
        for (text, filled) in cases {
            assert_eq!(fill(text, &known).ok().as_deref(), filled, "{text}");
        }
        let refused = fill("{prot}", &known).unwrap_err();
        assert!(refused.ends_with("there are {port}, {dir} and {revision}"), "{refused}");
    }
}
