//! What services hold and leak as OpenMetrics text, which Prometheus reads, too. Pure.
//!
//! Series must stay few, and the same from dump to dump: the biggest culprits by name and the rest as
//! `other`; no process, thread, address or stack is a label. Without times: the textfile directory of the
//! node exporter refuses them.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::analysis::suspects::Verdict;
use crate::figures::Estimate;

/// Culprits that are named, of each kind of a service.
const NAMED: usize = 10;

/// One culprit of one kind of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// `malloc`, `java_heap`.
    pub kind: String,
    /// The function.
    pub culprit: String,
    /// The file that holds its code.
    pub module: String,
}

/// Bytes and their variance.
type Sum = (f64, f64);

/// What all processes of a service hold together.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// What each place holds.
    pub live: BTreeMap<Place, Sum>,
    /// Bytes a second, of what is a leak for certain.
    pub leaks: BTreeMap<Place, Estimate>,
    /// By kind, as in `suspects --json`; the worst of its processes.
    pub verdicts: BTreeMap<String, Verdict>,
    /// How many processes are running, by their dumps.
    pub processes: usize,
    /// Resident memory of all.
    pub rss: f64,
    /// When the youngest dump was written, in seconds since 1970.
    pub written: f64,
}

/// The whole text.
pub fn write(services: &[Service]) -> String {
    let mut out = String::new();
    let live = |pick: fn(&Estimate) -> f64| {
        services.iter().flat_map(move |service| {
            let of =
                move |place: Place, estimate: Estimate| (labels(service, &place), pick(&estimate));
            named(&service.live)
                .into_iter()
                .map(move |(place, estimate)| of(place, estimate))
        })
    };
    let leaks = |pick: fn(&Estimate) -> f64| {
        services.iter().flat_map(move |service| {
            let all = service.leaks.iter();
            all.map(move |(place, estimate)| (labels(service, place), pick(estimate)))
        })
    };
    let each = |figure: fn(&Service) -> f64| {
        services
            .iter()
            .map(move |service| (labelled(&[("service", &service.name)]), figure(service)))
    };
    gauge(
        &mut out,
        "live_bytes",
        "Live bytes, estimated",
        live(|e| e.value),
    );
    gauge(
        &mut out,
        "live_bytes_low",
        "Lower end of the 95 % interval",
        live(|e| e.low),
    );
    gauge(
        &mut out,
        "live_bytes_high",
        "Upper end of the 95 % interval",
        live(|e| e.high),
    );
    gauge(
        &mut out,
        "leak_bytes_per_second",
        "Rate of a leak",
        leaks(|e| e.value),
    );
    gauge(
        &mut out,
        "leak_bytes_per_second_low",
        "Lower end of the 95 % interval",
        leaks(|e| e.low),
    );
    gauge(
        &mut out,
        "leak_bytes_per_second_high",
        "Upper end of the 95 % interval",
        leaks(|e| e.high),
    );
    let verdicts = services.iter().flat_map(|service| {
        service.verdicts.iter().map(|(kind, verdict)| {
            let labels = [
                ("service", service.name.as_str()),
                ("kind", kind),
                ("verdict", verdict.class()),
            ];
            (labelled(&labels), 1.0)
        })
    });
    gauge(
        &mut out,
        "verdict",
        "What the dumps say, as a label",
        verdicts,
    );
    gauge(
        &mut out,
        "processes",
        "Processes with dumps that have not ended",
        each(|s| s.processes as f64),
    );
    gauge(
        &mut out,
        "rss_bytes",
        "Resident memory at the last dumps",
        each(|s| s.rss),
    );
    gauge(
        &mut out,
        "dump_timestamp_seconds",
        "When the youngest dump was written",
        each(|s| s.written),
    );
    out + "# EOF\n"
}

fn gauge(out: &mut String, name: &str, help: &str, values: impl Iterator<Item = (String, f64)>) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        let _ = writeln!(
            out,
            "# HELP malloscope_{name} {help}\n# TYPE malloscope_{name} gauge"
        );
    }
    for (labels, value) in values {
        let _ = writeln!(out, "malloscope_{name}{{{labels}}} {value}");
    }
}

/// The biggest of each kind, and `other`.
fn named(live: &BTreeMap<Place, Sum>) -> Vec<(Place, Estimate)> {
    let mut by_kind: BTreeMap<&str, Vec<(&Place, Sum)>> = BTreeMap::new();
    for (place, held) in live {
        by_kind.entry(&place.kind).or_default().push((place, *held));
    }
    let mut out = Vec::new();
    for (kind, mut places) in by_kind {
        places.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
        let rest = places.split_off(places.len().min(NAMED));
        let whole = |(bytes, variance): (f64, f64)| {
            let estimate = Estimate::of(bytes, variance);
            Estimate {
                value: estimate.value.round(),
                low: estimate.low.round(),
                high: estimate.high.round(),
            }
        };
        out.extend(
            places
                .into_iter()
                .map(|(place, held)| (place.clone(), whole(held))),
        );
        if !rest.is_empty() {
            let sum = rest.iter().fold((0.0, 0.0), |sum, (_, held)| {
                (sum.0 + held.0, sum.1 + held.1)
            });
            let other = Place {
                kind: kind.to_owned(),
                culprit: "other".to_owned(),
                module: String::new(),
            };
            out.push((other, whole(sum)));
        }
    }
    out
}

fn labels(service: &Service, place: &Place) -> String {
    labelled(&[
        ("service", &service.name),
        ("kind", &place.kind),
        ("culprit", &place.culprit),
        ("module", &place.module),
    ])
}

fn labelled(pairs: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    pairs.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(culprit: &str) -> Place {
        Place {
            kind: "malloc".to_owned(),
            culprit: culprit.to_owned(),
            module: "shop".to_owned(),
        }
    }

    #[test]
    fn the_rest_is_one_series_and_names_are_escaped() {
        let live = (0..25).map(|n| (place(&format!("f{n:02}\"")), (f64::from(n) * 100.0, 4.0)));
        let service = Service {
            name: "a\\b".to_owned(),
            live: live.collect(),
            verdicts: [("malloc".to_owned(), Verdict::Leak)].into(),
            leaks: [(
                place("f24"),
                Estimate {
                    value: 2.5,
                    low: 1.0,
                    high: 4.0,
                },
            )]
            .into(),
            processes: 3,
            ..Service::default()
        };
        let text = write(&[service]);
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("malloscope_live_bytes{"), NAMED + 1);
        assert_eq!(count("malloscope_live_bytes_high{"), NAMED + 1);
        let other = "malloscope_live_bytes{service=\"a\\\\b\",kind=\"malloc\",culprit=\"other\",module=\"\"} 10500";
        assert!(text.contains(other), "{text}");
        assert!(
            text.contains("culprit=\"f24\\\"\",module=\"shop\"} 2400\n"),
            "{text}"
        );
        assert!(text.contains(
            "malloscope_verdict{service=\"a\\\\b\",kind=\"malloc\",verdict=\"leak\"} 1\n"
        ));
        assert!(
            text.contains("malloscope_leak_bytes_per_second_low{"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(count("# TYPE malloscope_live_bytes gauge"), 1);
    }

    #[test]
    fn what_has_no_value_has_no_head() {
        assert_eq!(write(&[]), "# EOF\n");
    }
}
