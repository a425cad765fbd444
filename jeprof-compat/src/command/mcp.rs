//! `malloscope mcp`: the commands as tools for an agent, over stdin and stdout.
//!
//! One JSON-RPC message a line, as the Model Context Protocol has it for stdio. Each tool is a command of this
//! program, run as a child: what it prints is the answer, and what goes wrong in it harms nobody else. Nothing
//! but messages goes to stdout.
//!
//! Source: modelcontextprotocol.io, specification 2025-11-25: lifecycle, tools, stdio.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Answer an agent that speaks the Model Context Protocol, on stdin and stdout
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// The protocols that are spoken, the youngest first: what is used here is the same in all.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// JSON-RPC.
const NO_METHOD: i32 = -32601;
const BAD_PARAMETERS: i32 = -32602;
const BAD_REQUEST: i32 = -32600;
const NO_JSON: i32 = -32700;

/// An answer that is longer fills the agent's memory for nothing.
const MOST: usize = 60_000;

/// A command as a tool.
struct Tool {
    name: &'static str,
    about: &'static str,
    /// Name, what it is, and whether it must be there.
    parameters: &'static [(&'static str, &'static str, bool)],
    /// The arguments; `$name` is a parameter, and is left out with the word before it where it is missing.
    command: &'static [&'static str],
    /// Does it change nothing?
    is_reading: bool,
    /// Is the answer JSON?
    is_json: bool,
}

const DUMPS: (&str, &str, bool) = ("path", "a directory with dumps (*.heap), or one dump", true);

const TOOLS: [Tool; 6] = [
    Tool {
        name: "suspects",
        about: "Whether a program leaks memory, how fast, and which function holds it, with 95 % intervals, \
                stacks and advice. Ask this first.",
        parameters: &[DUMPS],
        command: &["suspects", "--json", "$path"],
        is_reading: true,
        is_json: true,
    },
    Tool {
        name: "diff",
        about: "What grew between the first and the last dump of a directory, or between two dumps, and what \
                of that is more than noise",
        parameters: &[
            DUMPS,
            ("after", "the later dump, if path is the earlier one", false),
        ],
        command: &["diff", "--json", "$path", "$after"],
        is_reading: true,
        is_json: true,
    },
    Tool {
        name: "table",
        about: "The functions that hold the most live memory in the last dump, flat and cumulative, in bytes",
        parameters: &[
            DUMPS,
            (
                "focus",
                "only stacks with a frame that matches this regular expression",
                false,
            ),
            (
                "kind",
                "malloc (default), java_heap, js_heap, python_objects, ruby_objects, mmap",
                false,
            ),
        ],
        command: &["table", "--json", "--focus=$focus", "--kind=$kind", "$path"],
        is_reading: true,
        is_json: true,
    },
    Tool {
        name: "stack",
        about: "The whole call stacks of the last dump that pass a function: root;...;leaf BYTES, a line each",
        parameters: &[
            DUMPS,
            (
                "function",
                "a regular expression for the name of the function",
                true,
            ),
        ],
        command: &["convert", "--to=folded", "--focus=$function", "$path"],
        is_reading: true,
        is_json: false,
    },
    Tool {
        name: "doctor",
        about: "Whether malloscope will see what a program allocates, without starting it; what to do instead",
        parameters: &[("program", "the program: a path, or a name in PATH", true)],
        command: &["doctor", "--json", "--", "$program"],
        is_reading: true,
        is_json: true,
    },
    Tool {
        name: "dump",
        about: "Make a program that runs under malloscope (prof_control:true) write a dump now; prints its path",
        parameters: &[("pid", "the number of the process", true)],
        command: &["dump", "$pid"],
        is_reading: false,
        is_json: false,
    },
];

/// Answers until the agent goes away.
pub fn mcp(_args: &Args) -> Result<u8> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(answer) = answer(&line, &|arguments| ran(&own, arguments)) {
            let mut out = io::stdout().lock();
            writeln!(out, "{answer}")?;
            out.flush()?;
        }
    }
    Ok(0)
}

/// What a command said: its output if it went well, else its errors.
type Ran = Result<String, String>;

fn ran(own: &PathBuf, arguments: &[String]) -> Ran {
    let output = Command::new(own)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // doctor and suspects say by their exit codes what they found.
    match output.stdout.is_empty() && !output.status.success() {
        true => Err(text(&output.stderr)),
        false => Ok(text(&output.stdout)),
    }
}

/// The answer to a message, `None` for one that wants none.
fn answer(line: &str, run: &dyn Fn(&[String]) -> Ran) -> Option<Value> {
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return Some(failed(&Value::Null, NO_JSON, "no JSON"));
    };
    let Some(method) = message["method"].as_str() else {
        // An answer to us: nothing was asked.
        let is_answer = message.get("result").is_some() || message.get("error").is_some();
        return (!is_answer).then(|| failed(&message["id"], BAD_REQUEST, "no method"));
    };
    let id = message.get("id")?;
    let parameters = &message["params"];
    let result = match method {
        "initialize" => hello(parameters),
        "ping" => json!({}),
        "tools/list" => json!({"tools": TOOLS.iter().map(described).collect::<Vec<_>>()}),
        "tools/call" => match called(parameters, run) {
            Ok(result) => result,
            Err(error) => return Some(failed(id, BAD_PARAMETERS, &error)),
        },
        _ => {
            return Some(failed(
                id,
                NO_METHOD,
                &format!("there is no method {method}"),
            ));
        }
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

fn failed(id: &Value, code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

fn hello(parameters: &Value) -> Value {
    let asked = parameters["protocolVersion"].as_str().unwrap_or_default();
    let version = VERSIONS.iter().find(|version| **version == asked);
    json!({
        "protocolVersion": version.unwrap_or(&VERSIONS[0]),
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "malloscope", "version": env!("CARGO_PKG_VERSION")},
        "instructions": "Dumps come from `malloscope run -- CMD`. Ask suspects first, then stack for the \
                         culprit it names. Sizes are bytes, rates bytes an hour.",
    })
}

fn described(tool: &Tool) -> Value {
    let parameters = tool.parameters.iter();
    let properties: serde_json::Map<String, Value> = parameters
        .clone()
        .map(|(name, about, _)| {
            (
                (*name).to_owned(),
                json!({"type": "string", "description": about}),
            )
        })
        .collect();
    let required: Vec<&str> = parameters.filter(|p| p.2).map(|p| p.0).collect();
    json!({
        "name": tool.name,
        "description": tool.about,
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": tool.is_reading, "openWorldHint": false},
    })
}

fn called(parameters: &Value, run: &dyn Fn(&[String]) -> Ran) -> Result<Value, String> {
    let name = parameters["name"].as_str().unwrap_or_default();
    let tool = TOOLS.iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| format!("there is no tool {name}"))?;
    let arguments = arguments(tool, &parameters["arguments"])?;
    let (text, is_error) = match run(&arguments) {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    let structured = match tool.is_json && !is_error {
        true => serde_json::from_str::<Value>(&text).ok(),
        false => None,
    };
    let mut result = json!({
        "content": [{"type": "text", "text": shortened(&text)}],
        "isError": is_error,
    });
    if let Some(structured) = structured.filter(|_| text.len() <= MOST) {
        result["structuredContent"] = structured;
    }
    Ok(result)
}

fn shortened(text: &str) -> String {
    if text.len() <= MOST {
        return text.trim_end().to_owned();
    }
    let kept: String = text.chars().take(MOST).collect();
    format!(
        "{kept}\n... cut off: {} bytes in all; choose with focus",
        text.len()
    )
}

/// The command line of a tool. What an agent fills in is never taken for an option.
fn arguments(tool: &Tool, given: &Value) -> Result<Vec<String>, String> {
    let mut values = std::collections::BTreeMap::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        if !tool.parameters.iter().any(|parameter| parameter.0 == name) {
            return Err(format!("{} has no parameter {name}", tool.name));
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(format!("{name} must be a string")),
        };
        values.insert(name.as_str(), text);
    }
    if let Some((name, ..)) = tool
        .parameters
        .iter()
        .find(|p| p.2 && !values.contains_key(p.0))
    {
        return Err(format!("{} needs {name}", tool.name));
    }
    let mut arguments = Vec::new();
    for word in tool.command {
        let Some((option, name)) = word.split_once('$') else {
            arguments.push((*word).to_owned());
            continue;
        };
        if let Some(value) = values.get(name) {
            if option.is_empty() && value.starts_with('-') {
                return Err(format!("{name} cannot begin with a dash; ./{value} can"));
            }
            arguments.push(format!("{option}{value}"));
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<Value> {
        answer(line, &|arguments| match arguments[0].as_str() {
            "suspects" => Ok("{\"found\": []}\n".to_owned()),
            "convert" => Ok(arguments.join(" ")),
            _ => Err("malloscope: no dump".to_owned()),
        })
    }

    fn call(tool: &str, arguments: Value) -> Value {
        let parameters = json!({"name": tool, "arguments": arguments});
        let line = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": parameters});
        said(&line.to_string()).expect("an answer")
    }

    #[test]
    fn it_speaks_the_version_that_is_asked_for() {
        let hello = |version: &str| {
            let parameters = json!({"protocolVersion": version});
            let line = json!({"id": 1, "method": "initialize", "params": parameters}).to_string();
            said(&line).expect("an answer")["result"]["protocolVersion"].clone()
        };
        assert_eq!(hello("2025-06-18"), "2025-06-18");
        assert_eq!(hello("2099-01-01"), VERSIONS[0]);
    }

    #[test]
    fn what_is_unknown_is_answered_and_notifications_are_not() {
        let code = |line: &str| said(line).expect("an answer")["error"]["code"].clone();
        assert_eq!(code(r#"{"id": 1, "method": "server/discover"}"#), NO_METHOD);
        assert_eq!(code("{"), NO_JSON);
        assert_eq!(code(r#"{"id": 1}"#), BAD_REQUEST);
        assert_eq!(said(r#"{"method": "notifications/initialized"}"#), None);
        assert_eq!(said(r#"{"id": 1, "result": {}}"#), None);
        assert_eq!(call("no_such", json!({}))["error"]["code"], BAD_PARAMETERS);
        assert_eq!(
            call("suspects", json!({}))["error"]["message"],
            "suspects needs path"
        );
        let dash = call("suspects", json!({"path": "--help"}));
        assert!(
            dash["error"]["message"]
                .as_str()
                .expect("text")
                .contains("dash"),
            "{dash}"
        );
    }

    #[test]
    fn a_tool_is_a_command() {
        let answer = call("suspects", json!({"path": "/d"}));
        assert_eq!(answer["result"]["structuredContent"], json!({"found": []}));
        assert_eq!(answer["result"]["isError"], false);
        let stack = call("stack", json!({"path": "/d", "function": "-x"}));
        let text = stack["result"]["content"][0]["text"]
            .as_str()
            .expect("text");
        assert_eq!(text, "convert --to=folded --focus=-x /d");
        let table = call("table", json!({"path": "/d"}));
        assert_eq!(table["result"]["isError"], true);
        let tools = TOOLS.iter().filter(|tool| !tool.is_reading);
        assert_eq!(tools.map(|tool| tool.name).collect::<Vec<_>>(), ["dump"]);
    }
}
