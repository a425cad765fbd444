//! The socket by which a user steers a running program (`prof_control`).
//!
//! The watcher serves it, on its own thread. The socket is in the abstract namespace, under the
//! numbers of the pid namespace and of the process. So nothing must be cleaned up, no directory
//! must be writable, and the socket vanishes with the thread. A client must run as the user of the
//! process, or as root, by the kernel's record of the connection. Any other client is disconnected
//! unheard.
//!
//! One line is read, one answer is written, and the connection ends. A client has half a second to
//! send its line and some seconds to take the answer. It can make no thread wait but this one. The
//! lines:
//!
//! ```text
//! dump             write a dump; `ok <path>`
//! profile          the same, to the socket
//! start | stop     sample, or sleep
//! reset            forget all samples
//! rate <lg>        mean bytes between samples, as a power of two
//! status           one line of JSON
//! ```
//! An answer begins with `ok` or `error`, except the answers to `profile` and `status`.

use crate::config;
use crate::diag;
use crate::dump::{self, Peer, Reason};
use crate::dumper::{self, Outcome};
use crate::platform::decimal::Decimal;
use crate::platform::sys::{self, Event};
use crate::{java_heap, platform::process, recorder, remark, table::arena};

/// Longest line of a client.
const LINE: usize = 64;
/// How long a client may take to send its line.
const LINE_MS: u64 = 500;
const ANSWER_MS: u64 = 5_000;
/// Longest answer except a profile.
const ANSWER: usize = 8 << 10;

/// A listening socket, for as long as its thread lives.
pub struct Server {
    listener: i32,
}

impl Server {
    /// Listens under the name of this process; reports why when it cannot.
    pub fn open() -> Option<Server> {
        let mut name = Answer::new();
        name.push(b"malloscope.");
        name.number(process::pid_namespace().unwrap_or(0));
        name.push(b".");
        name.number(u64::from(sys::getpid().unsigned_abs()));
        let fd = sys::listen_abstract(name.bytes());
        let fd = if fd < 0 {
            fd
        } else {
            sys::move_above_standard(fd as i32)
        };
        if fd < 0 {
            let errno = Decimal::new(fd.unsigned_abs() as u64);
            remark::note(&["prof_control: cannot listen: errno ", errno.as_str()]);
            return None;
        }
        Some(Server {
            listener: fd as i32,
        })
    }

    /// Serves the clients that come until `deadline_ms`.
    pub fn serve_until(&self, deadline_ms: u64) {
        loop {
            let left = deadline_ms.saturating_sub(sys::monotonic_ms());
            if left == 0 || !sys::wait_for(self.listener, Event::Readable, left) {
                return;
            }
            let fd = sys::accept(self.listener);
            if fd < 0 {
                // The client is gone, or there is no descriptor for it: not again at once.
                return;
            }
            serve(fd as i32);
            sys::close(fd as i32);
        }
    }
}

fn serve(fd: i32) {
    let is_trusted =
        sys::peer_user(fd).is_some_and(|user| user == 0 || user == sys::effective_user());
    let mut line = [0; LINE];
    if !is_trusted {
        return;
    }
    let Some(line) = read_line(fd, &mut line) else {
        return;
    };
    let peer = Peer {
        fd,
        deadline_ms: sys::monotonic_ms() + ANSWER_MS,
    };
    let mut answer = Answer::new();
    obey(line, &peer, &mut answer);
    peer.send(answer.bytes());
}

/// The text before the line's end.
fn read_line(fd: i32, buffer: &mut [u8; LINE]) -> Option<&[u8]> {
    let deadline = sys::monotonic_ms() + LINE_MS;
    let mut length = 0;
    loop {
        let left = deadline.saturating_sub(sys::monotonic_ms());
        let room = buffer.get_mut(length..).filter(|room| !room.is_empty())?;
        if left == 0 || !sys::wait_for(fd, Event::Readable, left) {
            return None;
        }
        let read = usize::try_from(sys::read(fd, room)).ok()?;
        length += (read != 0).then_some(read)?;
        let so_far = buffer.get(..length)?;
        if let Some(end) = so_far.iter().position(|byte| *byte == b'\n') {
            return buffer.get(..end);
        }
    }
}

fn obey(line: &[u8], peer: &Peer, answer: &mut Answer) {
    match line {
        b"dump" => dump(answer),
        b"profile" => {
            if !dumper::send(peer) {
                answer.push(b"error nothing was sampled yet\n");
            }
        }
        b"start" | b"stop" => {
            if line == b"start" {
                recorder::silence::end();
            }
            recorder::switch(line == b"start");
            java_heap::follow();
            answer.push(b"ok\n");
        }
        b"reset" if recorder::reset() => {
            java_heap::reset();
            answer.push(b"ok\n");
        }
        b"reset" => answer.push(b"error a fork is in progress\n"),
        b"status" => status(answer),
        b"rate auto" => {
            if let Some(config) = config::current() {
                recorder::follow_budget(config.prof_budget);
            }
            answer.push(b"ok\n");
        }
        _ => match line.strip_prefix(b"rate ").and_then(small_number) {
            Some(lg_period) if recorder::set_lg_period(lg_period) => {
                java_heap::set_lg_period(lg_period);
                answer.push(b"ok\n");
            }
            Some(_) => answer.push(b"error no such rate: it must be 0 to 63\n"),
            None => answer.push(b"error unknown request\n"),
        },
    }
}

fn small_number(text: &[u8]) -> Option<u8> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

fn dump(answer: &mut Answer) {
    let written = dumper::write_here(Reason::Demand, &mut |path| {
        answer.push(b"ok ");
        answer.push(path);
        answer.push(b"\n");
    });
    answer.push(match written {
        Outcome::Whole => b"",
        Outcome::Nothing => b"error nothing was sampled yet, or prof_prefix is empty\n",
        Outcome::Busy => b"error another dump is being written\n",
        Outcome::Failed => b"error the dump could not be written\n",
    });
}

/// One JSON object; its keys are stable.
fn status(answer: &mut Answer) {
    let memory = process::memory(&mut [0; 4096]);
    let period = 1u64.checked_shl(u32::from(recorder::lg_period()));
    let numbers = [
        ("pid", u64::from(sys::getpid().unsigned_abs())),
        ("uptime_ms", recorder::uptime_ms()),
        ("period_bytes", period.unwrap_or(u64::MAX)),
        ("live_samples", recorder::LIVE.len() as u64),
        ("live_bytes", recorder::LIVE.total_weighted_bytes()),
        ("stacks", u64::from(recorder::STACKS.len())),
        ("dumps", dump::count()),
        ("rss_bytes", memory.rss),
        ("rss_peak_bytes", memory.peak),
        ("profiler_bytes", arena::used() as u64),
    ];
    answer.push(b"{\"sampling\":\"");
    answer.push(match (arena::exhausted(), recorder::is_on()) {
        (true, _) => b"stopped by prof_mem_max",
        (_, true) => b"on",
        (_, false) => b"off",
    });
    answer.push(b"\"");
    for (key, value) in numbers {
        answer.member(key, value);
    }
    if let Some(facts) = recorder::rate::facts() {
        answer.member("prof_budget_per_mille", u64::from(facts.budget));
        answer.member("budget_share_ppm", u64::from(facts.share));
        answer.member("budget_spent_us", facts.spent_ns / 1_000);
        answer.member("cpu_us", facts.cpu_ns / 1_000);
    }
    if let Some(facts) = java_heap::facts() {
        answer.member("java_heap_period_bytes", facts.period);
        answer.member("java_heap_live_samples", java_heap::LIVE.len() as u64);
        answer.member(
            "java_heap_live_bytes",
            java_heap::LIVE.total_weighted_bytes(),
        );
    }
    answer.push(b",\"counters\":{\"reentered\":");
    answer.number(diag::counted(diag::Counter::Reentered));
    for (name, count) in diag::counters().filter(|&(name, count)| count != 0 && name != "reentered")
    {
        answer.member(name, count);
    }
    answer.push(b"},\"remarks\":[");
    let mut between: &[u8] = b"";
    remark::for_each(&mut |text| {
        answer.push(between);
        answer.string(text);
        between = b",";
    });
    answer.push(b"]}\n");
}

/// The bytes of an answer; what does not fit is cut off.
struct Answer {
    bytes: [u8; ANSWER],
    length: usize,
}

impl Answer {
    fn new() -> Answer {
        Answer {
            bytes: [0; ANSWER],
            length: 0,
        }
    }

    fn push(&mut self, part: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(part) {
            *place = *byte;
        }
        self.length += room.len().min(part.len());
    }

    fn number(&mut self, number: u64) {
        self.push(Decimal::new(number).as_str().as_bytes());
    }

    fn member(&mut self, key: &str, value: u64) {
        self.push(b",\"");
        self.push(key.as_bytes());
        self.push(b"\":");
        self.number(value);
    }

    /// Text from outside as JSON; a byte that is not ASCII becomes a question mark.
    fn string(&mut self, text: &[u8]) {
        self.push(b"\"");
        for byte in text {
            match byte {
                b'"' | b'\\' => self.push(&[b'\\', *byte]),
                b' '..=b'~' => self.push(&[*byte]),
                _ => self.push(b"?"),
            }
        }
        self.push(b"\"");
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_json() {
        let mut answer = Answer::new();
        status(&mut answer);
        let text = std::str::from_utf8(answer.bytes()).expect("text");
        assert!(text.starts_with("{\"sampling\":\"off\",\"pid\":"), "{text}");
        assert!(text.ends_with("]}\n") && text.contains("\"live_bytes\":"));
        assert_eq!(text.matches('{').count(), 2);
    }

    #[test]
    fn an_answer_has_an_end() {
        let mut answer = Answer::new();
        for _ in 0..ANSWER {
            answer.push(b"abc");
        }
        assert_eq!(answer.bytes().len(), ANSWER);
    }
}
