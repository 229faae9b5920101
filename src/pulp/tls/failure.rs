//! What went wrong within TLS, in words that say what to look at.

use std::fmt;
use std::io::{Error as IoError, ErrorKind};

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode};

use crate::names::option;

/// The number of OpenSSL's library for TLS, `ERR_LIB_SSL`.
const TLS: i32 = 20;

/// Reasons of OpenSSL's `SSL_R_…`, to which its crate gives no names.
const BAD_SIGNATURE: i32 = 123;
const TOO_LARGE: [i32; 2] = [152, 198];
const HTTP: [i32; 2] = [155, 156];
const VERSIONS: [i32; 2] = [258, 267];
const NO_SECURE_RENEGOTIATION: [i32; 2] = [338, 339];
const CUT: i32 = 294;

/// What a server says with an alert is a reason of OpenSSL's too, from here on: RFC 8446, section 6, has the numbers.
const ALERTS: i32 = 1000;
const HANDSHAKE_FAILURE: i32 = 40;
const PROTOCOL_VERSION: i32 = 70;
const CERTIFICATE_REQUIRED: i32 = 116;

/// How a server says no to a client's certificate.
const REFUSALS: [i32; 7] = [42, 43, 44, 45, 46, 48, CERTIFICATE_REQUIRED];

/// When it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Handshake,
    Renegotiation,
    Conversation,
}

/// An end of TLS, with its words.
#[derive(Debug)]
pub(in crate::pulp) struct TlsFailure {
    text: String,
    /// The server speaks TLS, and newer versions alone than it was offered.
    pub(in crate::pulp) wants_newer: bool,
}

impl TlsFailure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            wants_newer: false,
        }
    }

    /// More renegotiations than any request needs.
    pub(super) fn endless(most: u32) -> Self {
        Self::new(format!(
            "the server began TLS anew more than {most} times before it answered one request, and is not gone along with any further; see its \
             error log, and SSLVerifyClient and SSLCipherSuite in its folders"
        ))
    }

    pub(super) fn cut() -> Self {
        Self::new(
            "the web server closed the connection in the middle of a TLS renegotiation; see its error log",
        )
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for TlsFailure {}

impl From<TlsFailure> for IoError {
    fn from(failure: TlsFailure) -> Self {
        Self::other(failure)
    }
}

/// The same error with words for a person. `refusal` is ours, `has_own` whether we showed a certificate.
pub(super) fn explain(
    error: Error,
    refusal: Option<String>,
    has_own: bool,
    phase: Phase,
) -> IoError {
    if let Some(refusal) = refusal {
        return TlsFailure::new(refusal).into();
    }
    if let Some(stack) = error.ssl_error() {
        if reason(stack) == Some(CUT) {
            return cut(phase);
        }
        return words(stack, has_own, phase).into();
    }
    match error.into_io_error() {
        Ok(error) => error,
        Err(error) if matches!(error.code(), ErrorCode::SYSCALL | ErrorCode::ZERO_RETURN) => {
            cut(phase)
        }
        Err(error) => IoError::other(error),
    }
}

fn cut(phase: Phase) -> IoError {
    match phase {
        Phase::Renegotiation => TlsFailure::cut().into(),
        Phase::Handshake | Phase::Conversation => ErrorKind::UnexpectedEof.into(),
    }
}

/// What of TLS an error of reqwest's is, if it is one of TLS. It shows no certificate.
pub(in crate::pulp) fn words_of(error: &(dyn std::error::Error + 'static)) -> Option<TlsFailure> {
    let stack = error.downcast_ref::<ErrorStack>()?;
    (reason(stack) != Some(CUT)).then(|| words(stack, false, Phase::Handshake))
}

/// What TLS itself says last: libraries below it may have said why before.
fn of_tls(stack: &ErrorStack) -> Option<&openssl::error::Error> {
    let all = stack.errors();
    let tls = all.iter().rev().find(|error| error.library_code() == TLS);
    tls.or(all.first())
}

fn reason(stack: &ErrorStack) -> Option<i32> {
    of_tls(stack).map(openssl::error::Error::reason_code)
}

fn words(stack: &ErrorStack, has_own: bool, phase: Phase) -> TlsFailure {
    let told = of_tls(stack).and_then(openssl::error::Error::reason);
    let told = told.unwrap_or("unknown error");
    let code = reason(stack).unwrap_or_default();
    match code - ALERTS {
        alert @ 0..=255 => alerted(alert, told, has_own, phase),
        _ => TlsFailure::new(match code {
            BAD_SIGNATURE => "the server does not prove that it has the key of the certificate it shows; its certificate and key \
                              files do not belong together, or somebody else answers in its place"
                .to_owned(),
            code if TOO_LARGE.contains(&code) => {
                format!("the server sends more within a TLS handshake than any needs ({told}), its certificate chain perhaps; 100 kB are read")
            }
            code if HTTP.contains(&code) => NO_TLS.to_owned(),
            code if VERSIONS.contains(&code) && told.contains("version number") => NO_TLS.to_owned(),
            code if VERSIONS.contains(&code) => format!(
                "the server speaks an older version of TLS than 1.2 ({told}); let it speak 1.2, or allow the older ones by \
                 {} \"1.0\"",
                option("tls_minimum")
            ),
            code if NO_SECURE_RENEGOTIATION.contains(&code) => format!(
                "the server does not know secure renegotiation (RFC 5746), without which others can speak first ({told}); \
                 update its TLS library"
            ),
            _ => format!("TLS: {told}"),
        }),
    }
}

const NO_TLS: &str = "it does not speak TLS; is the port right, and is it https there?";

fn alerted(alert: i32, told: &str, has_own: bool, phase: Phase) -> TlsFailure {
    let told = told.rsplit(" alert ").next().unwrap_or(told);
    let wants_ours = alert == CERTIFICATE_REQUIRED
        || alert == HANDSHAKE_FAILURE && phase == Phase::Renegotiation;
    let text = if !has_own && wants_ours {
        format!(
            "the server demands a client's certificate ({told}); set {}",
            option("user_cert")
        )
    } else if REFUSALS.contains(&alert) || wants_ours {
        format!(
            "the server does not take {} ({told}); has it expired (Pulp 2 gives it for a week, at `pulp-admin login`), and \
             does the server know who issued it?",
            option("user_cert")
        )
    } else {
        format!(
            "the server ended the TLS handshake ({told}); it must offer TLS 1.2 or 1.3, with a cipher that is not broken"
        )
    };
    TlsFailure {
        text,
        wants_newer: alert == PROTOCOL_VERSION && phase == Phase::Handshake,
    }
}
