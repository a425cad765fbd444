//! Answers for programs: one JSON object with the version of the schema, the command that answers, and what
//! it has to say. `docs/json.md` describes the fields. A field may be added without a new version; none
//! goes away or means another thing.

use serde::Serialize;

/// The version of the schema.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Answer<'a, T> {
    schema: u32,
    command: &'a str,
    #[serde(flatten)]
    body: T,
}

/// The answer of `command`. `body` must be an object; a line feed is at the end.
pub fn answer(command: &str, body: impl Serialize) -> serde_json::Result<String> {
    let answer = Answer {
        schema: SCHEMA,
        command,
        body,
    };
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_its_version_and_whose_it_is() {
        let said = answer("doctor", serde_json::json!({"a": [1]})).expect("JSON");
        let read: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(read["schema"], 1);
        assert_eq!(read["command"], "doctor");
        assert_eq!(read["a"][0], 1);
        assert!(said.ends_with("}\n"));
    }
}
