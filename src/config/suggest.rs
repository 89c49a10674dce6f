//! "Did you mean ...": the known name nearest to a mistyped one.

/// The name nearest to `word`, if one is near enough to be meant: about a third of the
/// letters wrong at most (swapped neighbours count once), or one the beginning of the other.
pub(super) fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    let by_letters = names
        .iter()
        .map(|name| (distance(&word, &plain(name)), *name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= ((name.len().max(word.len()) + 1) / 3).clamp(1, 3));
    by_letters.map(|(_, name)| name).or_else(|| {
        let beginning = |name: &&&str| {
            let name = plain(name);
            word.len() >= 3
                && name.len() >= 3
                && (name.starts_with(&word) || word.starts_with(&name))
        };
        names.iter().find(beginning).copied()
    })
}

/// Number of letters to insert, remove, replace or swap with the neighbour (optimal string
/// alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        let names = ["listen", "plain", "certificate", "max_message", "url"];
        assert_eq!(nearest("lisen", &names), Some("listen"));
        assert_eq!(nearest("lsiten", &names), Some("listen"));
        assert_eq!(nearest("cert", &names), Some("certificate"));
        assert_eq!(nearest("max-message", &names), Some("max_message"));
        assert_eq!(nearest("URL", &names), Some("url"));
    }

    #[test]
    fn far_names_are_not_suggested() {
        assert_eq!(nearest("colour", &["listen", "plain", "url"]), None);
        assert_eq!(nearest("x", &["listen"]), None);
    }
}
