//! A stand-in for Pyroscope and Parca: an HTTP server that reads requests by the servers' published definitions
//! and refuses what they refuse.
//!
//! The messages have the names and numbers of `push/v1/push.proto` and `types/v1/types.proto` (Pyroscope),
//! `profilestore.proto` (Parca) and `profile.proto` (pprof); a field that these do not have is an error, which is
//! seen by writing the message again. Limits: Pyroscope's defaults (`pkg/validation/limits.go`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use prost::Message;
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde::Deserialize;

#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<RawProfileSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct RawProfileSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<RawSample>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RawSample {
    #[prost(bytes = "vec", tag = "1")]
    raw_profile: Vec<u8>,
    #[prost(string, tag = "2")]
    id: String,
}

/// The JSON form of `parca.profilestore.v1alpha1.WriteRawRequest`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WriteRawRequest {
    series: Vec<ParcaSeries>,
    #[serde(default, rename = "normalized")]
    _normalized: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParcaSeries {
    labels: LabelSet,
    samples: Vec<ParcaSample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelSet {
    labels: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ParcaSample {
    raw_profile: String,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    label: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    mapping: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    location: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    function: Vec<Vec<u8>>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

/// What a server took.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Sorted `name=value`.
    pub labels: Vec<String>,
    /// As the server names types: `memory:inuse_space:bytes:space:bytes`.
    pub types: Vec<String>,
    /// Sum of each type.
    pub sums: Vec<i64>,
    /// Names of functions and files, among others.
    pub strings: Vec<String>,
}

/// What a server saw and did.
#[derive(Debug, Default)]
pub struct Seen {
    /// What it took.
    pub taken: Vec<Taken>,
    /// Its answers, by status.
    pub answers: Vec<u16>,
    /// Headers of the last request, in lower case.
    pub headers: Vec<String>,
}

/// A server on a port of its own.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// It answers the first requests with these statuses, whatever they are.
    pub fn start(first: &[u16]) -> Server {
        Server::listen("http", first, |stream, seen, first| {
            serve(stream, seen, first);
        })
    }

    /// The same over https, as the host `localhost`, under an authority of its own: its certificate, in PEM.
    pub fn start_tls() -> (Server, String) {
        let authority = Authority::new();
        let (tls, pem) = (Arc::new(authority.server()), authority.pem());
        let server = Server::listen("https", &[], move |stream, seen, first| {
            let session = ServerConnection::new(tls.clone()).expect("a session");
            serve(StreamOwned::new(session, stream), seen, first);
        });
        let url = server.url.replace("127.0.0.1", "localhost");
        (Server { url, ..server }, pem)
    }

    fn listen(
        scheme: &str,
        first: &[u16],
        serve: impl Fn(TcpStream, &Mutex<Seen>, &[u16]) + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let url = format!("{scheme}://{address}");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (shared, first) = (seen.clone(), first.to_vec());
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &shared, &first);
            }
        });
        Server { url, seen }
    }
}

/// Who vouches for a server.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut wishes = CertificateParams::default();
        wishes.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority {
            certificate: wishes.self_signed(&key).expect("a certificate"),
            issuer: Issuer::new(wishes, key),
        }
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// What a server for `localhost` needs.
    fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let wishes = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let own = wishes.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .expect("a server")
    }
}

fn serve(stream: impl Read + Write, seen: &Mutex<Seen>, first: &[u16]) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        // Whoever does not believe us goes away.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let lower = format!("{name}:");
        let found = lines
            .iter()
            .find(|line| line.to_ascii_lowercase().starts_with(&lower));
        found.map(|line| line[lower.len()..].trim().to_owned())
    };
    let length = header("content-length").and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("the body");
    let path = lines[0].split(' ').nth(1).unwrap_or_default();
    let content = header("content-type").unwrap_or_default();
    let mut seen = seen.lock().expect("no panic");
    seen.headers = lines[1..]
        .iter()
        .map(|line| line.to_ascii_lowercase())
        .collect();
    let taken = match path {
        "/push.v1.PusherService/Push" => pyroscope(&content, &body),
        "/api/profiles/writeraw" => parca(&content, &body),
        _ => Err(format!("no such path: {path}")),
    };
    let forced = first.get(seen.answers.len()).copied();
    let (status, text) = match (forced, taken) {
        (Some(status), _) => (status, "not now".to_owned()),
        (None, Ok(taken)) => {
            seen.taken.push(taken);
            (200, "{}".to_owned())
        }
        (None, Err(error)) => (400, error),
    };
    seen.answers.push(status);
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{text}"
    );
    let mut stream = reader.into_inner();
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
}

type Result<T> = std::result::Result<T, String>;

/// The message, which has no field that is unknown here.
fn decoded<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    let message = M::decode(bytes).map_err(|error| error.to_string())?;
    match message.encoded_len() == bytes.len() {
        true => Ok(message),
        false => Err("a field that the definition does not have".to_owned()),
    }
}

fn pyroscope(content: &str, body: &[u8]) -> Result<Taken> {
    if content != "application/proto" {
        return Err(format!("content type {content}"));
    }
    let request: PushRequest = decoded(body)?;
    let [series] = &request.series[..] else {
        return Err("one series is expected".to_owned());
    };
    let [sample] = &series.samples[..] else {
        return Err("one profile is expected".to_owned());
    };
    if sample.id.len() != 36 {
        return Err(format!("the ID {} is no UUID", sample.id));
    }
    let labels = series
        .labels
        .iter()
        .map(|l| (l.name.clone(), l.value.clone()));
    profile(labels.collect(), "service_name", &sample.raw_profile)
}

fn parca(content: &str, body: &[u8]) -> Result<Taken> {
    if content != "application/json" {
        return Err(format!("content type {content}"));
    }
    let request: WriteRawRequest = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let [series] = &request.series[..] else {
        return Err("one series is expected".to_owned());
    };
    let [sample] = &series.samples[..] else {
        return Err("one profile is expected".to_owned());
    };
    let packed = STANDARD
        .decode(&sample.raw_profile)
        .map_err(|e| e.to_string())?;
    let labels = series
        .labels
        .labels
        .iter()
        .map(|l| (l.name.clone(), l.value.clone()));
    profile(labels.collect(), "job", &packed)
}

fn profile(labels: Vec<(String, String)>, service: &str, packed: &[u8]) -> Result<Taken> {
    let label = |name: &str| {
        let found = labels.iter().find(|label| label.0 == name);
        found
            .map(|label| label.1.clone())
            .ok_or(format!("no label {name}"))
    };
    let name = label("__name__")?;
    label(service)?;
    if labels.len() > 30 || !labels.is_sorted() && service == "service_name" {
        return Err("labels are too many, or not in order".to_owned());
    }
    let mut bytes = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if bytes.len() > 4 << 20 {
        return Err("the profile is larger than 4 MiB".to_owned());
    }
    let profile: Profile = decoded(&bytes)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock");
    let age = now.as_secs() as i64 - profile.time_nanos / 1_000_000_000;
    if !(-600..3600).contains(&age) {
        return Err(format!("the profile is {age} s old"));
    }
    if profile.sample.iter().any(|sample| !sample.label.is_empty()) {
        return Err("a sample has a label, which would become a series".to_owned());
    }
    let word = |at: i64| profile.string_table[at as usize].as_str();
    let period = profile.period_type.clone().unwrap_or_default();
    let of = |t: &ValueType| {
        let (kind, unit) = (word(t.r#type), word(t.unit));
        format!(
            "{name}:{kind}:{unit}:{}:{}",
            word(period.r#type),
            word(period.unit)
        )
    };
    let sum = |at: usize| profile.sample.iter().map(|s| s.value[at]).sum();
    Ok(Taken {
        labels: labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        types: profile.sample_type.iter().map(of).collect(),
        sums: (0..profile.sample_type.len()).map(sum).collect(),
        strings: profile.string_table,
    })
}
