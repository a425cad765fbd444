//! The text of each form, with values quoted as its language wants it. Pure.

/// What is to be started.
#[derive(Clone, Debug, Default)]
pub(super) struct Start {
    pub(super) library: String,
    pub(super) directory: String,
    pub(super) configuration: String,
    /// May be empty: then the program is not ours to write.
    pub(super) command: Vec<String>,
}

/// For a POSIX shell.
pub(super) fn shell(start: &Start) -> String {
    let (library, configuration) = (quoted(&start.library), quoted(&start.configuration));
    let head = format!("mkdir -p {}\n", quoted(&start.directory));
    if start.command.is_empty() {
        return head
            + &format!("export LD_PRELOAD={library}\nexport MALLOSCOPE_CONF={configuration}\n");
    }
    let command: Vec<String> = start.command.iter().map(|word| quoted(word)).collect();
    head + &format!(
        "LD_PRELOAD={library} \\\nMALLOSCOPE_CONF={configuration} \\\nexec {}\n",
        command.join(" ")
    )
}

/// The last lines of a Dockerfile: what comes behind `ENV` is profiled, `RUN` included.
pub(super) fn docker(start: &Start) -> String {
    let Start {
        library, directory, ..
    } = start;
    // In double quotes a Dockerfile replaces variables.
    let value = |text: &str| double_quoted(text).replace('$', "\\$");
    let made = quoted(directory);
    let mut out = format!(
        "# At the end of the Dockerfile, behind the last RUN; libmalloscope.so is beside it.\n\
         COPY libmalloscope.so {library}\n\
         RUN mkdir -p {made} && chmod 1777 {made}\n\
         VOLUME {}\n\
         ENV LD_PRELOAD={} MALLOSCOPE_CONF={}\n",
        json(&[directory]),
        value(library),
        value(&start.configuration),
    );
    if !start.command.is_empty() {
        out += &format!("CMD {}\n", json(&start.command));
    }
    out
}

/// A drop-in for a unit.
pub(super) fn systemd(start: &Start) -> String {
    let value = |key: &str, text: &str| double_quoted(&format!("{key}={text}")).replace('%', "%%");
    let mut out = format!(
        "# systemctl edit NAME.service, then systemctl restart NAME.service\n\
         [Service]\n\
         Environment={}\n\
         Environment={}\n",
        value("LD_PRELOAD", &start.library),
        value("MALLOSCOPE_CONF", &start.configuration),
    );
    out += &match start.directory.strip_prefix("/var/lib/") {
        // Made by systemd, with the owner that the service has.
        Some(state) if !state.contains(' ') => format!("StateDirectory={state}\n"),
        _ => format!(
            "ReadWritePaths={}\n",
            double_quoted(&start.directory).replace('%', "%%")
        ),
    };
    if !start.command.is_empty() {
        let word = |word: &String| double_quoted(word).replace('%', "%%").replace('$', "$$");
        let words: Vec<String> = start.command.iter().map(word).collect();
        out += &format!("ExecStart=\nExecStart={}\n", words.join(" "));
    }
    out
}

/// A patch for a deployment.
pub(super) fn kubernetes(start: &Start) -> String {
    let (library_directory, file) = start
        .library
        .rsplit_once('/')
        .unwrap_or(("", &start.library));
    let mount = format!("{library_directory}/malloscope");
    let mut out = format!(
        "# strip libmalloscope.so; kubectl create configmap malloscope --from-file={file}\n\
         # kubectl patch deployment NAME --patch-file THIS; the container has the name that it has there.\n\
         spec:\n  template:\n    spec:\n      containers:\n      - name: NAME\n"
    );
    if !start.command.is_empty() {
        out += &format!("        command: {}\n", json(&start.command));
    }
    out += &format!(
        "        env:\n        \
         - name: LD_PRELOAD\n          value: {}\n        \
         - name: MALLOSCOPE_CONF\n          value: {}\n        \
         volumeMounts:\n        \
         - name: malloscope-library\n          mountPath: {}\n          readOnly: true\n        \
         - name: malloscope-dumps\n          mountPath: {}\n      \
         volumes:\n      \
         - name: malloscope-library\n        configMap:\n          name: malloscope\n      \
         - name: malloscope-dumps\n        emptyDir: {{}}\n",
        string(&format!("{mount}/{file}")),
        string(&start.configuration),
        string(&mount),
        string(&start.directory),
    );
    out
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn double_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A string in JSON is one in YAML too.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn json<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(|word| string(word.as_ref())).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(command: &[&str]) -> Start {
        Start {
            library: "/l/lib.so".into(),
            directory: "/var/lib/malloscope".into(),
            configuration: "prof:true".into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn a_shell_gets_words_as_they_are() {
        let text = shell(&start(&["java", "it's", ""]));
        assert!(text.ends_with("MALLOSCOPE_CONF=prof:true \\\nexec java 'it'\\''s' ''\n"));
        assert!(shell(&start(&[])).contains("export LD_PRELOAD=/l/lib.so\n"));
    }

    #[test]
    fn a_dockerfile_gets_an_exec_form() {
        let text = docker(&start(&["java", "a \"b\" $c"]));
        assert!(text.ends_with(
            "VOLUME [\"/var/lib/malloscope\"]\n\
             ENV LD_PRELOAD=\"/l/lib.so\" MALLOSCOPE_CONF=\"prof:true\"\n\
             CMD [\"java\", \"a \\\"b\\\" $c\"]\n"
        ));
    }

    #[test]
    fn a_unit_gets_its_percent_signs_and_dollars_doubled() {
        let text = systemd(&start(&["/usr/bin/java", "-x=%h$A \"b\""]));
        assert!(text.ends_with(
            "[Service]\n\
             Environment=\"LD_PRELOAD=/l/lib.so\"\n\
             Environment=\"MALLOSCOPE_CONF=prof:true\"\n\
             StateDirectory=malloscope\n\
             ExecStart=\n\
             ExecStart=\"/usr/bin/java\" \"-x=%%h$$A \\\"b\\\"\"\n"
        ));
        let elsewhere = Start {
            directory: "/srv/a b".into(),
            ..start(&[])
        };
        assert!(systemd(&elsewhere).ends_with("ReadWritePaths=\"/srv/a b\"\n"));
    }

    #[test]
    fn a_manifest_names_the_library_where_it_is_mounted() {
        let text = kubernetes(&start(&["java", "-jar"]));
        for line in [
            "        command: [\"java\", \"-jar\"]\n",
            "          value: \"/l/malloscope/lib.so\"\n",
            "          mountPath: \"/l/malloscope\"\n",
            "          mountPath: \"/var/lib/malloscope\"\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
