//! The page on which a person says yes to a login: plain HTML, no script. Pure.

use http::{HeaderName, HeaderValue, StatusCode, header};
use packhouse_names::Login;
use packhouse_wire::Reply;

/// Nothing is loaded, nothing runs, nobody frames it, and its form goes back to us.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'",
);
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#d0d5dd;--faint:#5b6472;--paper:#fff;--ground:#f4f5f7;\
--ink:#1b1f24;--accent:#1f5fbf;--on-accent:#fff;--wrong:#b3261e}\
@media(prefers-color-scheme:dark){:root{--line:#3c434d;--faint:#a3adba;--paper:#1d2126;\
--ground:#131619;--ink:#e8eaed;--accent:#8ab4f8;--on-accent:#10151c;--wrong:#f2b8b5}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\
main{max-width:30rem;margin:12vh auto 2rem;padding:2rem;background:var(--paper);\
border:1px solid var(--line);border-radius:.75rem}\
h1{margin:0 0 1rem;font-size:1.4rem;line-height:1.25}\
p{margin:0 0 1rem;overflow-wrap:anywhere}\
code{white-space:nowrap}\
.code{padding:.75rem;border:1px dashed var(--line);border-radius:.5rem;text-align:center;\
font:600 1.6rem/1.2 ui-monospace,monospace;letter-spacing:.08em}\
label{display:block;margin:1.5rem 0 .35rem;font-weight:600}\
input{width:100%;padding:.6rem .7rem;border:1px solid var(--faint);border-radius:.4rem;\
background:var(--paper);color:inherit;font:1rem ui-monospace,monospace}\
input:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
button{width:100%;margin-top:1rem;padding:.65rem;border:0;border-radius:.4rem;\
background:var(--accent);color:var(--on-accent);font:600 1rem system-ui,sans-serif;cursor:pointer}\
form+p.hint{margin-top:1.25rem}\
.hint{margin:.5rem 0 0;color:var(--faint);font-size:.9rem}\
.wrong{padding:.6rem .8rem;border-left:4px solid var(--wrong);color:var(--wrong);font-weight:600}\
@media(max-width:34rem){main{margin:0;min-height:100vh;border:0;border-radius:0;padding:1.25rem}}";

/// Why the page is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    Nothing,
    Wrong,
    Workflow,
    NoPackages,
}

impl Problem {
    const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "Paste an access token first.",
            Self::Wrong => "This token is wrong, expired or revoked.",
            Self::Workflow => "This token belongs to a workflow. Paste one of your own.",
            Self::NoPackages => "This token may do nothing with packages. Paste one that may.",
        }
    }
}

/// Asks for a token.
pub(super) fn ask(host: &str, code: &str, problem: Option<Problem>) -> Reply {
    let (host, code) = (escaped(host), escaped(code));
    let (status, alert, state) = match problem {
        None => (StatusCode::OK, String::new(), ""),
        Some(problem) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "<p class=\"wrong\" id=\"problem\" role=\"alert\">{}</p>",
                problem.text()
            ),
            " aria-invalid=\"true\"",
        ),
    };
    let described = if problem.is_some() {
        "problem hint"
    } else {
        "hint"
    };
    let body = format!(
        "<h1>Sign in from a terminal</h1>\
         <p>A package client on some computer asks to use <strong>{host}</strong> in your name.</p>\
         <p>Go on only if you have just run <code>npm login</code> yourself, and your terminal \
         shows this code:</p>\
         <p class=\"code\">{code}</p>\
         <p>If it shows another, or none, close this page.</p>\
         {alert}\
         <form method=\"post\">\
         <label for=\"token\">Your access token</label>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"off\" \
         autocapitalize=\"none\" spellcheck=\"false\" required autofocus \
         aria-describedby=\"{described}\"{state}>\
         <p class=\"hint\" id=\"hint\">The terminal gets a token of its own, which does with \
         packages what yours does and ends no later. <code>npm logout</code> revokes it.</p>\
         <button>Sign in</button>\
         </form>\
         <p class=\"hint\">No account or no token yet? The administrator of this registry makes \
         them.</p>"
    );
    document(status, "Sign in", &body)
}

/// Says that the terminal goes on.
pub(super) fn approved(host: &str, login: Option<&Login>) -> Reply {
    let name = login.map(Login::as_str).unwrap_or_default();
    let body = format!(
        "<h1>You are signed in</h1>\
         <p>Your terminal now uses <strong>{}</strong> as <strong>{}</strong>. You can close this \
         page.</p>",
        escaped(host),
        escaped(name)
    );
    document(StatusCode::OK, "Signed in", &body)
}

/// Says that there is nothing to say yes to.
pub(super) fn over() -> Reply {
    let body = "<h1>This login is over</h1>\
         <p>It was answered already, or it waited for more than five minutes. Run \
         <code>npm login</code> again.</p>";
    document(StatusCode::NOT_FOUND, "Login over", body)
}

fn document(status: StatusCode, title: &str, body: &str) -> Reply {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\">\
         <title>{title} - packhouse</title><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>\n"
    );
    Reply::bytes(status, "text/html; charset=utf-8", text)
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::REFERRER_POLICY, NO_REFERRER)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(
            HeaderName::from_static("x-frame-options"),
            HeaderValue::from_static("DENY"),
        )
}

/// A text with what HTML would take for its own written out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use packhouse_wire::Content;

    fn text(reply: &Reply) -> String {
        match &reply.content {
            Content::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_page_names_the_host_and_the_code_and_cannot_be_written_into() {
        let page = ask("a&b<c>\"'", "BCDF-GHJK", None);
        assert_eq!(page.status, StatusCode::OK);
        let text = text(&page);
        assert!(text.contains("<strong>a&amp;b&lt;c&gt;&quot;&#39;</strong>"));
        assert!(text.contains(">BCDF-GHJK<"));
        assert!(!text.contains("<script") && !text.contains("role=\"alert\""));
    }

    #[test]
    fn a_problem_is_said_where_a_screen_reader_hears_it() {
        for problem in [
            Problem::Nothing,
            Problem::Wrong,
            Problem::Workflow,
            Problem::NoPackages,
        ] {
            let page = ask("h", "BCDF-GHJK", Some(problem));
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
            let alert = format!("role=\"alert\">{}</p>", problem.text());
            assert!(text(&page).contains(&alert), "{problem:?}");
        }
    }
}
