use super::*;
use crate::imps::xml::parse;

fn fault(text: &str) -> Malformed {
    match parse(text.as_bytes(), &Limits::default()) {
        Err(fault) => fault,
        Ok(node) => panic!("{text:?} was read as {node:?}"),
    }
}

#[test]
fn what_xml_forbids_is_refused() {
    for text in [
        "<a b='<'/>",
        "<a>]]></a>",
        "<1/>",
        "<a><1/></a>",
        "<-a/>",
        "< a/>",
        "<a b='1' b='2'/>",
        "<a b='1'c='2'/>",
        "<a b=1/>",
        "<a b/>",
        "<a b='1/>",
        "<a/ >",
        "<a></b>",
        "<a></a b='1'>",
        "<a></ a>",
        "</a>",
        "x<a/>",
        "&amp;<a/>",
        "<![CDATA[x]]><a/>",
        "<a>&</a>",
        "<a>& b;</a>",
        "<a>&amp</a>",
        "<a>&#;</a>",
        "<a>&#x;</a>",
        "<a>&#+5;</a>",
        "<a b='&'/>",
        "<a><![CDATA[x</a>",
        "<a><!-- -- --></a>",
        "<a><!-- </a>",
        "<a><!x></a>",
        "<a><?xml version='1.0'?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml version='1.0'><a/>",
        "<a><?></a>",
        "<:a/>",
        "<a:/>",
        "<a:b:c/>",
        "<a:1/>",
        "<a :b=''/>",
    ] {
        assert!(matches!(fault(text), Malformed::Syntax { .. }), "{text}");
    }
}

#[test]
fn each_other_fault_has_its_name() {
    for (text, expected) in [
        ("", Malformed::Empty),
        (" <!-- x --> ", Malformed::Empty),
        ("<a/><b/>", Malformed::Trailing),
        ("<a/>x", Malformed::Trailing),
        ("<a></a></a>", Malformed::Trailing),
        ("<a><b></b>", Malformed::Unclosed("a".into())),
        ("<a", Malformed::Unclosed("a".into())),
        ("<a>&eacute;</a>", Malformed::Entity("eacute".into())),
        ("<a b='&x;'/>", Malformed::Entity("x".into())),
        ("<a>&#0;</a>", Malformed::Control(0)),
        ("<a>&#xFFFF;</a>", Malformed::Control(0xFFFF)),
        ("<a b='&#31;'/>", Malformed::Control(31)),
        ("<a>\u{1f}</a>", Malformed::Control(31)),
        ("<a>\u{fffe}</a>", Malformed::Control(0xFFFE)),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", Malformed::Doctype),
        ("<!DOCTYPE a><!DOCTYPE a><a/>", Malformed::Doctype),
        ("<a><!DOCTYPE a></a>", Malformed::Doctype),
        ("<a/><!DOCTYPE a>", Malformed::Doctype),
    ] {
        assert_eq!(fault(text), expected, "{text}");
    }
    let latin1 = parse(b"<a>caf\xe9</a>", &Limits::default());
    assert_eq!(latin1, Err(Malformed::Encoding(6)));
}

#[test]
fn what_peers_may_send_is_accepted() {
    for text in [
        "\u{feff}<?xml version='1.0'?><a/>",
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" standalone='no' ?>\r\n<a/>",
        "<!DOCTYPE a PUBLIC '-//WV//[x]>' \"http://x/y>.dtd\"><a/>",
        "<?p?><!-- - -><?--><a/><!-- -->\n<?p x?>",
        "<undeclared:a other:b='1'/>",
        "<a\n b = '\"'\tc=\">\"\n></a\n>",
        "<é·/>",
    ] {
        assert!(parse(text.as_bytes(), &Limits::default()).is_ok(), "{text}");
    }
}

#[test]
fn text_and_values_are_unescaped_joined_and_trimmed() {
    let text = "<x:a y:b=' 1\r\n&#10;2&lt;' b='other' xmlns:b='n'> \r\n one&#x20;&amp;\r\n\
        <c/><![CDATA[ <two>\r]]><!-- no -->&apos;\u{a0} </x:a>";
    let node = parse(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(node.name, "a");
    assert_eq!(node.attributes, [("b", Cow::Borrowed(" 1 \n2<"))]);
    assert_eq!(node.text, "one &\n <two>\n'\u{a0}");
    assert_eq!(node.children.len(), 1);
}
