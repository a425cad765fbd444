//! The requests of the servers, in the form that each takes. Pure.
//!
//! Sources: `push/v1/push.proto` and `types/v1/types.proto` of grafana/pyroscope (Connect takes the protobuf
//! as it is), `profilestore.proto` of parca-dev/parca (by its gateway, as the JSON form of protobuf).

use std::hash::{BuildHasher, RandomState};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use prost::Message;
use serde_json::json;

/// A server's way to take profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    /// Pyroscope's push API
    Pyroscope,
    /// Parca's write API
    Parca,
}

/// One profile of one process.
#[derive(Clone, Debug)]
pub(super) struct Pushed {
    /// Sorted by name.
    pub(super) labels: Vec<(String, String)>,
    /// pprof, gzipped.
    pub(super) profile: Vec<u8>,
}

/// What is sent.
pub(super) struct Request {
    /// Below the URL of the server.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

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

impl Api {
    pub(super) fn request(self, pushed: &Pushed) -> Result<Request> {
        Ok(match self {
            Api::Pyroscope => Request {
                path: "/push.v1.PusherService/Push",
                content_type: "application/proto",
                body: pyroscope(pushed).encode_to_vec(),
            },
            Api::Parca => Request {
                path: "/api/profiles/writeraw",
                content_type: "application/json",
                body: serde_json::to_vec(&parca(pushed))?,
            },
        })
    }
}

fn pyroscope(pushed: &Pushed) -> PushRequest {
    let label = |(name, value): &(String, String)| LabelPair {
        name: name.clone(),
        value: value.clone(),
    };
    PushRequest {
        series: vec![RawProfileSeries {
            labels: pushed.labels.iter().map(label).collect(),
            samples: vec![RawSample {
                raw_profile: pushed.profile.clone(),
                id: uuid(),
            }],
        }],
    }
}

fn parca(pushed: &Pushed) -> serde_json::Value {
    // Prometheus' word for the service, which Parca shows first.
    let name = |name: &str| match name {
        "service_name" => "job".to_owned(),
        name => name.to_owned(),
    };
    let labels = pushed.labels.iter();
    let labels: Vec<_> = labels
        .map(|(key, value)| json!({"name": name(key), "value": value}))
        .collect();
    json!({
        "series": [{
            "labels": {"labels": labels},
            "samples": [{"rawProfile": STANDARD.encode(&pushed.profile)}],
        }],
        "normalized": false,
    })
}

/// A random UUID, by the seeds that the standard library draws.
fn uuid() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    let (high, low) = (half(), half());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_one_of_version_4() {
        let (one, two) = (uuid(), uuid());
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!((one.as_bytes()[14], one != two), (b'4', true));
    }
}
