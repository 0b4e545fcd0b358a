//! Reads what `apt-cache show` prints: stanzas of `Field: value` lines (deb822, as in Debian Policy 5.1),
//! of which a candidate's version, digest and dependencies matter here. Lenient: what lacks a field is left out.

/// A version of a package that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
    /// Names of the packages depended on, without versions; of alternatives the first.
    pub(crate) depends: Vec<String>,
}

/// All complete stanzas of a text.
pub(crate) fn parse(text: &str) -> Vec<Candidate> {
    text.split("\n\n").filter_map(stanza).collect()
}

fn stanza(text: &str) -> Option<Candidate> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let sha256 = field("SHA256").filter(|digest| digest.len() == 64)?;
    let depends = field("Depends").unwrap_or_default();
    let depends = depends.split(',').filter_map(|clause| clause.split_whitespace().next().map(str::to_owned));
    Some(Candidate {
        package: field("Package")?,
        version: field("Version")?,
        sha256: sha256.to_ascii_lowercase(),
        depends: depends.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_metapackage() {
        let text = "Package: linux-image-cloud-arm64\nVersion: 6.1.192-2\nArchitecture: arm64\n\
                    Depends: linux-image-6.1.0-56-cloud-arm64 (= 6.1.192-2), other | third\n\
                    Description: Linux\n Depends: not-this\n\
                    SHA256: ab97b5c21a7b8ee1ab7a7a5a45f690ff773b6cde33183cd9d57de345133b3ce7\n\n\
                    Package: without-digest\nVersion: 1\n";
        let found = parse(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].version, "6.1.192-2");
        assert_eq!(found[0].depends, ["linux-image-6.1.0-56-cloud-arm64", "other"]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s).{0,400}") {
            parse(&text);
        }

        #[test]
        fn a_written_stanza_is_read_back(package in "[a-z][a-z0-9+.-]{1,20}", version in "[0-9][0-9a-z.+~:-]{0,20}",
                                         digest in "[0-9a-f]{64}") {
            let found = parse(&format!("Package: {package}\nVersion: {version}\nSHA256: {digest}\n"));
            prop_assert_eq!(found, vec![Candidate { package, version, sha256: digest, depends: vec![] }]);
        }
    }
}
