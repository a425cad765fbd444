//! All processes of a series, judged in sentences: which of them leaks most, and what the page of one says,
//! of itself and of the others. Pure.

use std::collections::BTreeSet;

use super::beside;
use super::findings;
use crate::analysis::fleet::{self, Service};
use crate::analysis::series::{Process, Series};
use crate::analysis::suspects::{self, Resident, Verdict};
use crate::figures::words;
use crate::profile::model::{JAVA_HEAP, MALLOC, ValueKind};
use crate::report::{Findings, Neighbour, Report, State, Suspect};

/// Other processes that a page names.
pub const MOST_NEIGHBOURS: usize = 100;

/// What was found in a process, by kind of samples: the kind that certainly leaks most comes first and speaks
/// for the process; without a leak one that grows while RSS grows beside malloc, and malloc before its equals.
pub type Found = Vec<(Option<String>, Findings)>;

/// The findings of all kinds of samples of a process. A leak must have reached an age of `asked` seconds.
fn found(process: &Process, asked: f64) -> Found {
    let kinds = process.kinds().into_iter();
    let mut is_elsewhere = false;
    let mut beside = None;
    let mut found: Vec<(bool, (Option<String>, Findings))> = kinds
        .map(|kind| {
            let case = suspects::find(process, kind.as_deref(), asked);
            let resident = case.resident;
            is_elsewhere |= resident.is_some_and(|r| r.grows_elsewhere());
            beside = beside.take().or_else(|| rss_beside(&case, resident));
            let is_looked_at = kind.as_deref() == Some(JAVA_HEAP) && case.unseen.is_none();
            let mut findings = findings(&case);
            if case.left_out > 0 {
                findings.conclusion.sentences.push(format!(
                    "The {} places with the fewest bytes were not judged: there are too many.",
                    case.left_out
                ));
            }
            drop(case);
            (is_looked_at, (kind, findings))
        })
        .collect();
    // While RSS stands still, a heap that fills towards its next collection is no news; what its collector has
    // passed over is.
    let grows = |(is_looked_at, (kind, findings)): &(bool, (Option<String>, Findings))| {
        let is_news = *is_looked_at || is_elsewhere && kind.is_some();
        is_news && findings.conclusion.verdict.is_growth()
    };
    found.sort_by(|a, b| {
        let by_leak = b.1.1.leak_lower.total_cmp(&a.1.1.leak_lower);
        by_leak.then(grows(b).cmp(&grows(a)))
    });
    let mut found: Found = found.into_iter().map(|(_, found)| found).collect();
    if let Some((Some(_), first)) = found.first_mut()
        && first.conclusion.verdict.is_growth()
    {
        first.conclusion.sentences.extend(beside);
    }
    if is_elsewhere {
        name_holder(&mut found);
    }
    found
}

/// How RSS goes, for a verdict on another kind of samples than malloc's, of which the case is.
fn rss_beside(case: &suspects::Case<'_>, resident: Option<Resident>) -> Option<String> {
    let Resident::Grows { rss, heap, .. } = resident? else {
        return None;
    };
    let run = case.paths.clock.run();
    Some(format!(
        "RSS grows {}, and what malloc holds {}.",
        words::rate(rss, run),
        words::growth(heap, run)
    ))
}

/// RSS grows beside malloc, and no kind of samples by itself: what the largest of the other kinds holds is named,
/// with its place.
fn name_holder(found: &mut Found) {
    let grows = |findings: &Findings| findings.suspects.iter().any(|s| s.verdict.is_growth());
    if found.iter().any(|(_, findings)| grows(findings)) {
        return;
    }
    let others = found.iter().filter_map(|(kind, findings)| {
        let by_size = |a: &&Suspect, b: &&Suspect| a.live.value.total_cmp(&b.live.value);
        Some((kind.as_ref()?, findings.suspects.iter().max_by(by_size)?))
    });
    let most = others.max_by(|a, b| a.1.live.value.total_cmp(&b.1.live.value));
    let sentence = most.map(|(kind, most)| {
        format!(
            "Of {kind} most is held by {} ({}): {} live, {}.",
            most.culprit,
            most.place,
            words::bytes(most.live.value),
            most.reason
        )
    });
    let malloc = found.iter_mut().find(|(kind, _)| kind.is_none());
    let said = malloc.filter(|(_, findings)| findings.conclusion.verdict.is_growth());
    if let (Some(sentence), Some((_, findings))) = (sentence, said) {
        findings.conclusion.sentences.insert(0, sentence);
    }
}

/// What was found in malloc's samples.
fn of_malloc(found: &Found) -> Option<&Findings> {
    let malloc = found.iter().find(|(kind, _)| kind.is_none())?;
    Some(&malloc.1)
}

/// Whether enough was seen to tell whether it leaks, in any kind of samples.
fn is_seen(found: &Found) -> bool {
    let verdicts = found
        .iter()
        .map(|(_, findings)| findings.conclusion.verdict);
    verdicts
        .into_iter()
        .any(|verdict| verdict != Verdict::TooFew)
}

/// The number of a process, 0 when it is not known.
pub fn number(process: &Process) -> u64 {
    let recorded = process.last().process.get("pid");
    let named = || process.name.strip_prefix("pid ")?.split(' ').next();
    let pid = recorded.or_else(named).and_then(|pid| pid.parse().ok());
    pid.unwrap_or_default()
}

/// The findings of every process of a series, in its order, and of the workers of each program together.
#[derive(Clone, Debug)]
pub struct Survey {
    found: Vec<Found>,
    services: Vec<Together>,
}

/// Workers of one program, judged together.
#[derive(Clone, Debug)]
pub struct Together {
    /// Which they are.
    pub service: Service,
    /// What was found in malloc's samples.
    pub findings: Findings,
    /// Seconds watched.
    pub seconds: f64,
    /// Dumps of all.
    pub dumps: usize,
}

impl Survey {
    /// Judges all; the frames of the last dumps have their names. A leak must have reached an age of `asked`
    /// seconds, whatever else it needs.
    pub fn of(series: &Series, asked: f64) -> Survey {
        let together = |service: Service| {
            let pool = fleet::pool(series, &service);
            let findings =
                super::service::service(&suspects::find(&pool, None, asked), service.workers.len());
            let dumps = service
                .workers
                .iter()
                .map(|at| series.processes[*at].dumps.len());
            Together {
                findings,
                seconds: pool.dumps.last().map_or(0.0, |dump| dump.at),
                dumps: dumps.sum(),
                service,
            }
        };
        Survey {
            found: series.processes.iter().map(|p| found(p, asked)).collect(),
            services: fleet::services(series).into_iter().map(together).collect(),
        }
    }

    /// What was found in a process.
    pub fn found(&self, at: usize) -> &Found {
        &self.found[at]
    }

    /// Workers that were judged together, those that leak most first.
    pub fn services(&self) -> Vec<&Together> {
        let mut services: Vec<&Together> = self.services.iter().collect();
        services.sort_by(|a, b| b.findings.leak_lower.total_cmp(&a.findings.leak_lower));
        services
    }

    /// The workers that a process is one of.
    fn service_of(&self, at: usize) -> Option<&Together> {
        let mut services = self.services.iter();
        services.find(|together| together.service.workers.contains(&at))
    }

    /// The workers that a process is one of, where more can be told of all than of it alone.
    fn more_than_alone(&self, at: usize) -> Option<&Together> {
        let own = self.found[at].first();
        self.service_of(at).filter(|together| {
            let alone = own.map_or(0.0, |(_, findings)| findings.leak_lower);
            let is_growth = |findings: &Findings| findings.conclusion.verdict.is_growth();
            together.findings.leak_lower > alone
                || is_growth(&together.findings) && !own.is_some_and(|(_, own)| is_growth(own))
        })
    }

    /// Bytes an hour that may leak untold: what nobody would have seen in malloc's blocks of this process, and what
    /// grows in any and is not certainly a leak. Infinite where too little was seen of all.
    pub fn hidden(&self, at: usize) -> f64 {
        if !self.is_seen() {
            return f64::INFINITY;
        }
        let floor = |findings: &Findings| findings.floor.unwrap_or(f64::INFINITY);
        let together = self.service_of(at).map(|together| &together.findings);
        let floors = of_malloc(&self.found[at])
            .into_iter()
            .chain(together)
            .map(floor);
        let growing = self.found.iter().flat_map(|found| {
            // A kind that does not speak for its process may grow towards its next collection.
            let first = found.first().map(|(_, findings)| findings);
            first.into_iter().chain(of_malloc(found))
        });
        let growing = growing.map(|findings| findings.growing);
        growing.fold(floors.fold(f64::INFINITY, f64::min), f64::max)
    }

    /// Whether enough was seen of any process to tell whether it leaks.
    fn is_seen(&self) -> bool {
        self.found.iter().any(is_seen)
            || self
                .services
                .iter()
                .any(|t| t.findings.conclusion.verdict != Verdict::TooFew)
    }

    /// Bytes an hour that a process leaks for certain, in the kind that leaks most, or the workers that it is
    /// one of together.
    pub fn lower(&self, at: usize) -> f64 {
        let alone = self.found[at].first().map_or(0.0, |(_, f)| f.leak_lower);
        let together = self.service_of(at).map_or(0.0, |t| t.findings.leak_lower);
        alone.max(together).max(0.0)
    }

    /// The process that leaks most, of those with that number; of equals one of which enough was seen to tell, and
    /// of these the first, which holds most.
    pub fn most(&self, series: &Series, pid: Option<u64>) -> Option<usize> {
        let is_asked = |at: &usize| pid.is_none_or(|p| number(&series.processes[*at]) == p);
        (0..self.found.len()).filter(is_asked).reduce(|best, at| {
            let rank = |at: usize| (self.lower(at), is_seen(&self.found[at]));
            if rank(at) > rank(best) { at } else { best }
        })
    }

    /// What the page of one process says. The frames of its `shown` dumps have their names; `pages` are the
    /// file names of the pages of all processes, where there are any.
    pub fn report(
        &self,
        series: &Series,
        at: usize,
        shown: &BTreeSet<usize>,
        pages: &[Option<String>],
    ) -> Report {
        let mut report = of_process(&series.processes[at], shown, &self.found[at]);
        if let Some(together) = self.more_than_alone(at) {
            report.conclusion = together.findings.conclusion.clone();
            let suspects = together.findings.suspects.iter().cloned();
            report.suspects = suspects.chain(report.suspects).collect();
        }
        beside::mark(&mut report, &series.processes, at);
        let others = (0..self.found.len()).filter(|other| *other != at);
        report.neighbours = others
            .take(MOST_NEIGHBOURS)
            .map(|other| {
                let page = pages.get(other).cloned().flatten();
                self.neighbour(&series.processes[other], other, page)
            })
            .collect();
        beside::mind(&mut report);
        report
    }

    /// What the page cannot say for want of place.
    pub fn left_out(&self) -> Option<String> {
        let others = self.found.len().saturating_sub(1);
        let left_out = others.saturating_sub(MOST_NEIGHBOURS);
        (left_out > 0)
            .then(|| format!("Processes that have dumps here and are not named: {left_out}"))
    }

    fn neighbour(&self, process: &Process, at: usize, page: Option<String>) -> Neighbour {
        let conclusion = self.found[at].first().map(|(_, f)| &f.conclusion);
        Neighbour {
            name: process.name.clone(),
            pid: number(process),
            verdict: conclusion.map(|c| c.verdict).unwrap_or_default(),
            headline: conclusion.map_or_else(String::new, |c| c.headline.clone()),
            dumps: process.dumps.len(),
            live: process.last().total(ValueKind::InuseSpace),
            page,
        }
    }
}

fn of_process(process: &Process, shown: &BTreeSet<usize>, found: &Found) -> Report {
    let file =
        |path: &std::path::Path| -> Option<String> { Some(path.file_name()?.to_str()?.to_owned()) };
    let files: Vec<String> = process
        .dumps
        .iter()
        .map(|dump| file(&dump.path).unwrap_or_default())
        .collect();
    let states: Vec<State<'_>> = process
        .dumps
        .iter()
        .zip(&files)
        .enumerate()
        .map(|(at, (dump, file))| State {
            seconds: dump.at,
            file,
            profile: &dump.profile,
            is_shown: shown.contains(&at),
        })
        .collect();
    let mut report = Report::of_dumps(&states);
    for (at, (kind, findings)) in found.iter().enumerate() {
        let name = kind.as_deref().unwrap_or(MALLOC);
        if at == 0 {
            report.conclusion = findings.conclusion.clone();
            report.put_first(name);
        }
        let suspects = findings.suspects.iter().cloned();
        report.suspects.extend(suspects.map(|mut suspect| {
            suspect.kind = name.to_owned();
            suspect
        }));
    }
    report
}
