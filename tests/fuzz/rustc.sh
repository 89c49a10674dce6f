#!/bin/sh
# rustc as cargo calls it through RUSTC_WRAPPER: the codec and its reader of XML get coverage as cargo-fuzz
# asks for it, other dependencies do not. Without a sanitizer: the codec has no unsafe code.
case " $* " in
    *" --crate-name wvgate_wire "* | *" --crate-name quick_xml "* | *" --crate-name codec "*)
        exec "$@" --cfg fuzzing -Cpasses=sancov-module \
            -Cllvm-args=-sanitizer-coverage-level=4 \
            -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
            -Cllvm-args=-sanitizer-coverage-pc-table \
            -Cllvm-args=-sanitizer-coverage-trace-compares
        ;;
    *) exec "$@" ;;
esac
