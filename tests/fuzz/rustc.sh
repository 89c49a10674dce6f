#!/bin/sh
# rustc as cargo calls it through RUSTC_WRAPPER: the codec gets coverage as cargo-fuzz asks for it,
# its dependencies do not. Without a sanitizer: the codec has no unsafe code.
case " $* " in
    *" --crate-name wvgate_wire "* | *" --crate-name codec "*)
        exec "$@" --cfg fuzzing -Cpasses=sancov-module \
            -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
            -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares
        ;;
    *) exec "$@" ;;
esac
