//! The text of each form, with values quoted as its language wants it. Pure.

/// What is preloaded already goes behind ours: the first that defines malloc is the one that is called.
const INHERITED: &str = "${LD_PRELOAD:+:$LD_PRELOAD}";

/// Bytes of dumps that a process keeps in a pod: a volume that outgrows its limit costs the pod its place.
const KEPT: u64 = 128 << 20;

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
            + &format!(
                "export LD_PRELOAD={library}{INHERITED}\nexport MALLOSCOPE_CONF={configuration}\n"
            );
    }
    let command: Vec<String> = start.command.iter().map(|word| quoted(word)).collect();
    head + &format!(
        "LD_PRELOAD={library}{INHERITED} \\\nMALLOSCOPE_CONF={configuration} \\\nexec {}\n",
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
        "# At the end of the Dockerfile, behind the last RUN; `malloscope unpack .` puts libmalloscope.so beside it.\n\
         COPY libmalloscope.so {library}\n\
         RUN mkdir -p {made} && chmod 1777 {made}\n\
         VOLUME {}\n\
         ENV LD_PRELOAD={library}{INHERITED} MALLOSCOPE_CONF={}\n",
        json(&[directory]),
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
        "# `malloscope unpack DIR` puts libmalloscope.so into a directory: that of LD_PRELOAD.\n\
         # systemctl edit NAME.service, then systemctl restart NAME.service\n\
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

/// A patch for a deployment. An init container brings the library, so no image is built anew.
pub(super) fn kubernetes(start: &Start) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let directory = &start.directory;
    let command = match start.command.is_empty() {
        true => String::new(),
        false => format!("        command: {}\n", json(&start.command)),
    };
    // Each pod has a name of its own, and a restarted container goes on counting in its directory.
    let configuration = start.configuration.replace(
        &format!("prof_prefix:{directory}/malloscope"),
        &format!("prof_keep_bytes:{KEPT},prof_prefix:{directory}/$(MALLOSCOPE_POD)"),
    );
    format!(
        "# Write the names of the deployment and of its container for DEPLOYMENT and CONTAINER.\n\
         # kubectl patch deployment DEPLOYMENT --patch-file THIS, or in a kustomization.yaml:\n\
         #   patches: [{{path: THIS, target: {{kind: Deployment, name: DEPLOYMENT}}}}]\n\
         # Where the container sets LD_PRELOAD already, that goes behind ours, with a colon.\n\
         apiVersion: apps/v1\n\
         kind: Deployment\n\
         metadata:\n  name: DEPLOYMENT\n\
         spec:\n  template:\n    spec:\n      \
         initContainers:\n      \
         - name: malloscope\n        \
         image: malloscope:{version}\n        \
         args: [\"unpack\", \"/malloscope\"]\n        \
         volumeMounts:\n        \
         - name: malloscope-library\n          mountPath: /malloscope\n      \
         containers:\n      - name: CONTAINER\n{command}        \
         env:\n        \
         - name: MALLOSCOPE_POD\n          valueFrom:\n            fieldRef:\n              fieldPath: metadata.name\n        \
         - name: LD_PRELOAD\n          value: /malloscope/libmalloscope.so\n        \
         - name: MALLOSCOPE_CONF\n          value: {}\n        \
         volumeMounts:\n        \
         - name: malloscope-library\n          mountPath: /malloscope\n          readOnly: true\n        \
         - name: malloscope-dumps\n          mountPath: {}\n      \
         volumes:\n      \
         - name: malloscope-library\n        emptyDir:\n          sizeLimit: 16Mi\n      \
         - name: malloscope-dumps\n        emptyDir:\n          sizeLimit: 1Gi\n",
        string(&configuration),
        string(directory),
    )
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
        let exported = "export LD_PRELOAD=/l/lib.so${LD_PRELOAD:+:$LD_PRELOAD}\n";
        assert!(shell(&start(&[])).contains(exported));
    }

    #[test]
    fn a_dockerfile_gets_an_exec_form() {
        let text = docker(&start(&["java", "a \"b\" $c"]));
        assert!(text.ends_with(
            "VOLUME [\"/var/lib/malloscope\"]\n\
             ENV LD_PRELOAD=/l/lib.so${LD_PRELOAD:+:$LD_PRELOAD} MALLOSCOPE_CONF=\"prof:true\"\n\
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
    fn a_pod_gets_the_library_from_an_init_container_and_a_bounded_volume() {
        let configured = Start {
            configuration: "prof:true,prof_prefix:/var/lib/malloscope/malloscope".into(),
            ..start(&["java", "-jar"])
        };
        let text = kubernetes(&configured);
        for line in [
            "        command: [\"java\", \"-jar\"]\n",
            "        args: [\"unpack\", \"/malloscope\"]\n",
            "          value: /malloscope/libmalloscope.so\n",
            "          mountPath: \"/var/lib/malloscope\"\n",
            "prof_keep_bytes:134217728,prof_prefix:/var/lib/malloscope/$(MALLOSCOPE_POD)\"\n",
            "          sizeLimit: 1Gi\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
        let pod = text.find("name: MALLOSCOPE_POD").expect("the pod's name");
        assert!(
            pod < text.find("$(MALLOSCOPE_POD)").expect("its use"),
            "set before it is used"
        );
    }
}
