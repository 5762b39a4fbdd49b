//! A person with a browser: forms that Keycloak shows, filled in and sent.

use std::process::Command;

use tempfile::TempDir;

use super::hand::{BACK, CLIENT};
use crate::support::setting;

/// What a person fills in, by the form that is shown.
pub struct Person {
    pub username: &'static str,
    pub password: &'static str,
    /// The one that is chosen where another one is asked for.
    pub new_password: &'static str,
    pub last_name: &'static str,
}

/// The forms by their ids, and what they are here.
const FORMS: [(&str, &str); 4] = [
    ("kc-deleteaccount-form", "goodbye"),
    ("kc-form-login", "login"),
    ("kc-passwd-update-form", "another password"),
    ("kc-update-profile-form", "profile"),
];

impl Person {
    /// Logs in to a realm. The forms that were shown until Keycloak sent the browser back to the client.
    pub fn logs_in(&self, realm: &str) -> Vec<&'static str> {
        self.goes_to(realm, "")
    }

    /// Logs in to a realm to delete the own account: the same, or until there is nothing more to fill in.
    pub fn deletes_the_account(&self, realm: &str) -> Vec<&'static str> {
        self.goes_to(realm, "&kc_action=delete_account")
    }

    fn goes_to(&self, realm: &str, more: &str) -> Vec<&'static str> {
        let jar = TempDir::new().unwrap();
        let place = format!("/realms/{realm}/protocol/openid-connect/auth");
        let query =
            format!("client_id={CLIENT}&redirect_uri={BACK}&response_type=code&scope=openid{more}");
        let first = format!("{}{place}?{query}", setting("KEYREEVE_TEST_KEYCLOAK"));
        let (mut url, mut fields, mut shown) = (first, Vec::new(), Vec::new());
        // A few forms, and a redirect after each.
        for _ in 0..12 {
            let (page, redirect) = page(&jar, &url, &fields);
            if redirect.starts_with(BACK) {
                assert!(redirect.contains("code="), "{redirect}");
                return shown;
            }
            fields.clear();
            if !redirect.is_empty() {
                url = redirect;
                continue;
            }
            if shown.last() == Some(&"goodbye") {
                assert!(page.contains("deleted"), "{page}");
                return shown;
            }
            let (form, action) = form(&page).unwrap_or_else(|| panic!("{shown:?}, then\n{page}"));
            assert_ne!(shown.last(), Some(&form), "it was not taken:\n{page}");
            shown.push(form);
            url = action;
            fields = match form {
                "login" => vec![("username", self.username), ("password", self.password)],
                "goodbye" => vec![("confirmed", "")],
                "profile" => {
                    vec![("email", ""), ("firstName", "Bob"), ("lastName", self.last_name)]
                }
                _ => vec![
                    ("password-new", self.new_password),
                    ("password-confirm", self.new_password),
                ],
            };
        }
        panic!("{shown:?}, and no end");
    }
}

/// The form on a page, and where it is sent.
fn form(page: &str) -> Option<(&'static str, String)> {
    page.split("<form").skip(1).find_map(|form| {
        let (_, name) = FORMS.into_iter().find(|(id, _)| form.contains(&format!("\"{id}\"")))?;
        let action = form.split("action=\"").nth(1)?.split('"').next()?;
        Some((name, action.replace("&amp;", "&")))
    })
}

/// A page, and where it sends the browser on. With fields it is a form that is sent.
fn page(jar: &TempDir, url: &str, fields: &[(&str, &str)]) -> (String, String) {
    let jar = jar.path().join("cookies");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--write-out", "\n%{redirect_url}", "--cookie"]);
    curl.arg(&jar).arg("--cookie-jar").arg(&jar).arg(url);
    for (name, value) in fields {
        curl.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    let answer = String::from_utf8(curl.output().unwrap().stdout).unwrap();
    let (page, redirect) = answer.rsplit_once('\n').unwrap();
    (page.to_owned(), redirect.to_owned())
}
