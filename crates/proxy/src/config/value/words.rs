//! Values that are one of a few words.

use super::Value;

macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident $form:literal { $($(#[$word_meta:meta])* $variant:ident = $word:literal,)* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$word_meta])* $variant,)* }

        impl Value for $name {
            const KIND: &'static str = "WORD";
            const FORM: &'static str = $form;

            fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)* _ => None }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $word,)* }.to_owned()
            }
        }
    )*};
}

words! {
    /// How important a message must be to be written.
    Level "one of `off`, `error`, `warn`, `info`, `debug`, `trace`" {
        /// Nothing.
        Off = "off",
        /// What needs somebody to act.
        Error = "error",
        /// What may need somebody to act.
        Warn = "warn",
        /// What an operator wants to see of a healthy proxy.
        Info = "info",
        /// What helps to find out why something happened.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }

    /// Whether clients must show a certificate.
    ClientAuth "`required` or `optional`" {
        /// A client without one is not served.
        Required = "required",
        /// A client without one is anonymous.
        Optional = "optional",
    }

    /// Whether nodes of a cluster must show certificates to each other.
    ClusterTlsMode "`required` or `off`" {
        /// They must.
        Required = "required",
        /// Whoever reaches the port is a member.
        Off = "off",
    }

    /// A version of TLS.
    TlsVersion "`1.2` or `1.3`" {
        /// RFC 5246.
        V1_2 = "1.2",
        /// RFC 8446.
        V1_3 = "1.3",
    }

    /// Which traces are recorded. The words are OpenTelemetry's.
    TraceSampler "one of `always_on`, `always_off`, `traceidratio`, and the same after `parentbased_`" {
        /// All.
        AlwaysOn = "always_on",
        /// None.
        AlwaysOff = "always_off",
        /// A share of them.
        Ratio = "traceidratio",
        /// Those that the caller records, and all that have no caller.
        ParentOn = "parentbased_always_on",
        /// Those that the caller records.
        ParentOff = "parentbased_always_off",
        /// Those that the caller records, and a share of those that have no caller.
        ParentRatio = "parentbased_traceidratio",
    }

    /// How messages are written.
    LogFormat "`human` or `json`" {
        /// For reading in a terminal.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}
