//! How servers are asked: by which agent, and whom it believes over https.
//!
//! Certificates are those that `SSL_CERT_FILE` or `SSL_CERT_DIR` name, as for OpenSSL, else the machine's. Where
//! a machine has none (an image of one file), those that Mozilla believes count, which this program carries.

use std::sync::OnceLock;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

/// What a caller may wish: above all how long it waits.
pub(crate) type Wishes = ConfigBuilder<AgentScope>;

/// An agent that believes the right servers.
pub(crate) fn agent(wishes: impl FnOnce(Wishes) -> Wishes) -> Agent {
    // The machine's are a file of some 140.
    static BELIEVED: OnceLock<RootCerts> = OnceLock::new();
    let roots = BELIEVED.get_or_init(believed).clone();
    let tls = TlsConfig::builder().root_certs(roots).build();
    wishes(Agent::config_builder().tls_config(tls))
        .build()
        .into()
}

fn believed() -> RootCerts {
    let names = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
    let is_named = names.iter().any(|name| std::env::var_os(name).is_some());
    let found = rustls_native_certs::load_native_certs().certs;
    // Whoever names certificates means no others.
    if found.is_empty() && !is_named {
        return RootCerts::WebPki;
    }
    let owned = |der: &[u8]| Certificate::from_der(der).to_owned();
    RootCerts::from(found.iter().map(|der| owned(der)))
}
