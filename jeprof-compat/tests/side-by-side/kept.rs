use std::collections::HashMap;
struct Session {
    data: Vec<u8>,
}
impl Session {
    #[inline(never)]
    fn open(n: usize) -> Session {
        Session { data: vec![1; n] }
    }
}
trait Kept {
    fn keep(&self) -> Box<[u8]>;
}
impl<T: AsRef<[u8]>> Kept for T {
    #[inline(never)]
    fn keep(&self) -> Box<[u8]> {
        self.as_ref().to_vec().into_boxed_slice()
    }
}
fn main() {
    let mut sessions: HashMap<usize, Session> = HashMap::new();
    for i in 0..200 {
        sessions.insert(i, Session::open(20_000));
    }
    let kept: Vec<_> = (0..100).map(|i| vec![i as u8; 30_000].keep()).collect();
    let names: Vec<String> = (0..1000).map(|i| format!("{i:>900}")).collect();
    let total: usize = sessions.values().map(|s| s.data.len()).sum();
    println!("{}", total + kept.len() + names.len());
    std::mem::forget((sessions, kept, names));
}
