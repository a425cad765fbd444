//! The command line without the parts that may be secret.
//!
//! The rule needs no list of suspicious names: the program and the names of options stay, and
//! everything else becomes one asterisk.

/// Stands for the text that was removed.
const MASK: u8 = b'*';

/// Masks `line`, arguments with a NUL between them, in place; returns the new length.
pub fn mask(line: &mut [u8]) -> usize {
    let (mut from, mut to) = (0, 0);
    for index in 0.. {
        let rest = line.get(from..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0);
        let word = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        let kept = shown(index, word);
        let is_cut = kept < word.len();
        line.copy_within(from..from + kept, to);
        to += kept;
        // There is room: less was kept of this word than it had.
        if let Some(place) = line.get_mut(to).filter(|_| is_cut) {
            *place = MASK;
            to += 1;
        }
        let Some(length) = length else { break };
        from += length + 1;
        if let Some(place) = line.get_mut(to) {
            *place = 0;
            to += 1;
        }
    }
    to
}

/// How much of the argument `word`, which is the `index`th, may be shown.
///
/// Of argument 0: everything up to the first blank, because a server that writes its state there
/// puts it after a blank. Of an option: its name, which is `--word` up to a `=`, or `-x` with the
/// one letter. Of anything else: nothing.
fn shown(index: usize, word: &[u8]) -> usize {
    let before = |stop: u8| word.iter().position(|byte| *byte == stop);
    match word {
        _ if index == 0 => before(b' ').unwrap_or(word.len()),
        [b'-', b'-', ..] => before(b'=').map_or(word.len(), |sign| sign + 1),
        [b'-', ..] => word.len().min(2),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(words: &[&str]) -> String {
        let mut line = words.join("\0").into_bytes();
        let length = mask(&mut line);
        line.truncate(length);
        String::from_utf8(line).expect("ASCII").replace('\0', " ")
    }

    #[test]
    fn programs_and_names_of_options_stay() {
        let mysql = ["/usr/bin/mysql", "-uroot", "-psecret", "--host=db", "-e"];
        assert_eq!(masked(&mysql), "/usr/bin/mysql -u* -p* --host=* -e");
        let java = ["java", "-Dkey=secret", "-Xmx2g", "-jar", "app.jar", "--"];
        assert_eq!(masked(&java), "java -D* -X* -j* * --");
        assert_eq!(masked(&["x", "--token", "secret", ""]), "x --token * ");
        assert_eq!(masked(&["x", "PASSWORD=secret", "-"]), "x * -");
    }

    #[test]
    fn a_title_is_cut_at_its_first_blank() {
        assert_eq!(masked(&["postgres: app 10.0.0.1 SELECT"]), "postgres:*");
        assert_eq!(masked(&[""]), "");
    }
}
