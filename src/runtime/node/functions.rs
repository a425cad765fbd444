//! Makes a structure of functions that are found by their C++ names.

macro_rules! functions {
    ($Functions:ident: $($field:ident: $type:ty = $name:literal;)+) => {
        /// What is called, each with its C++ contract.
        #[derive(Clone, Copy)]
        pub(super) struct $Functions {
            $($field: $type,)+
        }

        impl $Functions {
            /// `Err`: the name of the first that is missing.
            pub(super) fn of(
                object: $crate::platform::elf::Object,
            ) -> Result<$Functions, &'static str> {
                Ok($Functions {
                    $($field: {
                        let symbol = object.symbol($name.as_bytes()).ok_or($name)?;
                        // SAFETY: the C++ name says the prototype (Itanium C++ ABI, 5.1); a pointer
                        // to a function is as large as an address.
                        unsafe { core::mem::transmute::<usize, $type>(symbol.addr) }
                    },)+
                })
            }
        }
    };
}

pub(super) use functions;
