//! Tokens: where they come from, how strong they must be, how they are compared.

use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use subtle::{Choice, ConstantTimeEq};

use crate::scope::Scope;

/// What a token must decode to: nobody guesses 256 random bits.
const SECRET_BITS_MIN: usize = 256;
/// A token with fewer distinct characters was typed, not drawn: of 43 random ones, fewer than 12 differ by no chance
/// that anyone will see.
const DISTINCT_MIN: usize = 10;
/// A longer file is no token.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// Where a token is read from, once, at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    File(PathBuf),
    Variable(String),
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Variable(name) => write!(f, "the variable {name}"),
        }
    }
}

/// Why a token can't be used. Never holds any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    Unreadable(io::Error),
    /// There is no such variable, or it is not text.
    #[error("it is not set")]
    NotSet,
    /// Neither hexadecimal nor base64.
    #[error("it is neither hexadecimal nor base64: make one with `openssl rand -hex 32`")]
    NotEncoded,
    /// Too few bits.
    #[error(
        "it decodes to {bits} bits, and at least {SECRET_BITS_MIN} are needed: make one with `openssl rand -hex 32`"
    )]
    TooShort {
        /// What it decodes to.
        bits: usize,
    },
    /// It was not drawn at random.
    #[error("it has {distinct} distinct characters: make one with `openssl rand -hex 32`")]
    NotRandom {
        /// How many characters differ.
        distinct: usize,
    },
}

/// A secret that opens one scope, and those below it.
pub(crate) struct Token {
    pub(crate) scope: Scope,
    /// For the audit log: the file's name, or the variable's.
    pub(crate) name: String,
    secret: Vec<u8>,
}

impl Token {
    pub(crate) fn read(scope: Scope, source: &TokenSource) -> Result<Self, TokenError> {
        let (name, text) = match source {
            TokenSource::File(path) => (file_name(path), read_file(path)?),
            TokenSource::Variable(name) => (name.clone(), env::var(name).map_err(|_| TokenError::NotSet)?),
        };
        let secret = text.trim();
        check_strength(secret)?;
        Ok(Self {
            scope,
            name,
            secret: secret.into(),
        })
    }

    /// Takes as long whatever `offered` is, but for its length.
    fn is(&self, offered: &[u8]) -> Choice {
        self.secret.as_slice().ct_eq(offered)
    }
}

/// All that were configured.
#[derive(Default)]
pub(crate) struct Tokens(Vec<Token>);

impl Tokens {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.0.iter().any(|token| token.scope == scope)
    }

    /// The numbers of two tokens of different scopes that are the same, if there are such: who holds the one for less holds
    /// the other.
    pub(crate) fn shared(&self) -> Option<(usize, usize)> {
        let tokens = self.0.iter().enumerate();
        tokens.clone().find_map(|(first, token)| {
            let same = |other: &Token| other.scope != token.scope && bool::from(token.is(&other.secret));
            let second = tokens.clone().find(|(_, other)| same(other));
            second.map(|(second, _)| (first, second))
        })
    }

    /// Looks at every token, whether one before it fitted or not.
    pub(crate) fn find(&self, offered: &[u8]) -> Option<&Token> {
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.is(offered)) {
                found = Some(token);
            }
        }
        found
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn read_file(path: &Path) -> Result<String, TokenError> {
    let length = fs::metadata(path).map_err(TokenError::Unreadable)?.len();
    if length > TOKEN_BYTES_MAX {
        return Err(TokenError::NotEncoded);
    }
    fs::read_to_string(path).map_err(TokenError::Unreadable)
}

/// Hexadecimal counts 4 bits a digit, base64 (either alphabet, padded or not) 6 a character: what it says in words
/// would be worth far less than its length.
fn check_strength(secret: &str) -> Result<(), TokenError> {
    let hexadecimal = secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = secret.trim_end_matches('=');
    let base64 = digits
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
    let bits = match (hexadecimal, base64) {
        (true, _) => 4 * secret.len(),
        (false, true) => 6 * digits.len(),
        (false, false) => return Err(TokenError::NotEncoded),
    };
    // whole bytes
    let bits = bits / 8 * 8;
    if bits < SECRET_BITS_MIN {
        return Err(TokenError::TooShort { bits });
    }
    let mut characters: Vec<u8> = secret.bytes().collect();
    characters.sort_unstable();
    characters.dedup();
    if characters.len() < DISTINCT_MIN {
        return Err(TokenError::NotRandom {
            distinct: characters.len(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc920";

    #[track_caller]
    fn check(secret: &str, wanted: &str) {
        let said = check_strength(secret).map_or_else(|error| error.to_string(), |()| "strong".into());
        assert!(said.contains(wanted), "{secret:?}: {said}");
    }

    #[test]
    fn a_token_has_256_bits_or_is_refused() {
        check(HEX, "strong");
        check(&HEX[..62], "248 bits");
        check("pL7mWv3uBqk1o9Zc0YxNf4TjRhD2sEgA8iKbUaSzQ6M=", "strong");
        check("pL7mWv3uBqk1o9Zc0YxNf4TjRhD2sEgA8iKbUaSz_-M", "strong");
        check("pL7mWv3uBqk1o9Zc0YxNf4TjRhD2sEgA8iKbUaSz", "240 bits");
        check("", "0 bits");
        check("correct horse battery staple correct horse battery", "neither");
        check(&"a".repeat(64), "1 distinct");
    }

    #[test]
    fn the_token_that_fits_is_found_whatever_comes_after() {
        let token = |scope, secret: &str| Token {
            scope,
            name: String::new(),
            secret: secret.into(),
        };
        let tokens = Tokens::new(vec![
            token(Scope::Act, "one"),
            token(Scope::Read, "two"),
            token(Scope::Metrics, "three"),
        ]);
        let scope = |offered: &str| tokens.find(offered.as_bytes()).map(|token| token.scope);
        assert_eq!(scope("one"), Some(Scope::Act));
        assert_eq!(scope("three"), Some(Scope::Metrics));
        assert_eq!(scope("thre"), None);
        assert_eq!(scope(""), None);
    }
}
