//! The threaded `heap_v2` text, totals only. Called by `read`.
use super::assembly::Assembly;
use crate::model::*;
use anyhow::Result;
pub fn parse(bytes: &[u8], _name: &str) -> Result<(Profile, Vec<String>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut a = Assembly::default();
    let mut stack: Option<Vec<u64>> = None;
    let mut maps = false;
    let mut period = 0u64;
    for l in text.lines() {
        if let Some(p) = l.strip_prefix("heap_v2/") {
            period = p.parse()?;
            a.profile.period = period;
        } else if maps {
            if let Some(m) = pm(l) {
                a.profile.mappings.push(Mapping {
                    start: m.start,
                    end: m.end,
                    offset: m.offset,
                    executable: m.execute,
                    path: m.path,
                    deleted: m.deleted,
                    build_id: None,
                    base: 0,
                });
            }
        } else if l.starts_with("MAPPED") {
            maps = true;
        } else if let Some(s) = l.strip_prefix("@ ") {
            stack = Some(
                s.split(' ')
                    .map(|x| u64::from_str_radix(&x[2..], 16).unwrap())
                    .collect(),
            );
        } else if let (Some(r), Some(s)) = (l.trim().strip_prefix("t*: "), &stack) {
            let n: Vec<u64> = r
                .split(|c: char| !c.is_ascii_digit())
                .filter(|x| !x.is_empty())
                .map(|x| x.parse().unwrap())
                .collect();

            let (o, b) = sc(period, n[0], n[1]);
            let (ao, ab) = sc(period, n[2], n[3]);
            let st = a.stack(s, |_| false);
            a.push(Sample {
                stack: st,
                values: Values {
                    inuse_objects: o,
                    inuse_space: b,
                    alloc_objects: ao,
                    alloc_space: ab,
                },
                ..Default::default()
            });
        }
    }
    Ok((a.finish(), vec![]))
}

struct M {
    start: u64,
    end: u64,
    offset: u64,
    execute: bool,
    deleted: bool,
    path: String,
}
fn pm(l: &str) -> Option<M> {
    let mut i = l.splitn(6, ' ');
    let (a, b) = i.next()?.split_once('-')?;
    let p = i.next()?;
    let o = i.next()?;
    i.next()?;
    i.next()?;
    let path = i.next().unwrap_or("").trim().to_string();
    let deleted = path.ends_with(" (deleted)");
    Some(M {
        start: u64::from_str_radix(a, 16).ok()?,
        end: u64::from_str_radix(b, 16).ok()?,
        offset: u64::from_str_radix(o, 16).ok()?,
        execute: p.contains('x'),
        deleted,
        path: path.replace(" (deleted)", ""),
    })
}
fn sc(p: u64, n: u64, b: u64) -> (f64, f64) {
    if n == 0 || b == 0 {
        return (n as f64, b as f64);
    }
    let k = 1.0 / (1.0 - (-(b as f64) / (n as f64) / (p as f64)).exp());
    (n as f64 * k, b as f64 * k)
}
