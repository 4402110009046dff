//! The units of Datadog that our metrics use.

macro_rules! units {
    ($($unit:ident $word:literal)*) => {
        /// A unit word that Datadog knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Unit { $(#[doc = concat!("`", $word, "`")] $unit,)* }

        impl Unit {
            /// Datadog's word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$unit => $word,)* }
            }
        }
    };
}

units! {
    Second "second" Minute "minute" Hour "hour" Day "day" Percent "percent" Fraction "fraction" Dollar "dollar"
    Byte "byte" Gibibyte "gibibyte" Item "item" Task "task" Job "job" Run "run" Commit "commit" User "user"
    Instance "instance" Core "core" Cpu "cpu" Device "device" Error "error" Request "request" Event "event"
    Worker "worker" File "file" Check "check" Step "step" Sample "sample" Operation "operation" Payload "payload"
    One "unit"
}
