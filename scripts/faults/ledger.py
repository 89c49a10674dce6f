"""What was sent, what was answered, what arrived: the books of a campaign, and its verdict.

A conversation is a pair of sender and recipient. Its messages are numbered as they are sent; the
text of a message is its id. Books are kept at the ends, outside every node.
"""

from collections import Counter, defaultdict

# Answers after which the sender may believe that the message is on its way.
TAKEN = range(200, 300)


class Message:
    __slots__ = ("id", "pair", "number", "wants_report", "answer", "arrivals", "reports", "bounced",
                 "repeated")

    def __init__(self, id, pair, number, wants_report):
        self.id, self.pair, self.number = id, pair, number
        self.wants_report = wants_report
        self.answer = None
        self.arrivals = 0
        self.reports = []
        self.bounced = False
        # Its client had no answer and has sent it again, under its id.
        self.repeated = False

    def failed(self):
        """Whether the sender was told, at once or later, that it does not arrive."""
        refused = self.answer is not None and self.answer not in TAKEN
        return refused or self.bounced or any(code not in TAKEN for code in self.reports)


class Ledger:
    def __init__(self):
        self.messages = {}
        self.counts = Counter()
        self.order = defaultdict(list)
        self.strangers = []
        # Copies that a client recognised by their id: it had not acknowledged the first one, or its
        # acknowledgement was lost with a killed node.
        self.recognised = 0

    def sent(self, id, pair, wants_report=False):
        number = self.counts[pair]
        self.counts[pair] += 1
        self.messages[id] = Message(id, pair, number, wants_report)

    def answered(self, id, code):
        message = self.messages.get(id)
        if message is not None and message.answer is None:
            message.answer = code

    def reported(self, id, code):
        if id in self.messages:
            self.messages[id].reports.append(code)

    def bounced(self, id):
        if id in self.messages:
            self.messages[id].bounced = True

    def repeated(self, id):
        if id in self.messages:
            self.messages[id].repeated = True

    def arrived(self, id):
        message = self.messages.get(id)
        if message is None:
            self.strangers.append(id)
            return
        message.arrivals += 1
        if message.arrivals == 1:
            self.order[message.pair].append(message.number)

    def missing(self):
        """Messages that were taken, have not arrived, and of which nobody was told that they will
        not."""
        return [
            message
            for message in self.messages.values()
            if message.answer in TAKEN and message.arrivals == 0 and not message.failed()
        ]

    def reports_missing(self):
        return [
            message
            for message in self.messages.values()
            if message.wants_report and message.arrivals and message.answer in TAKEN
            and not message.reports
        ]

    def unanswered(self):
        return [message for message in self.messages.values() if message.answer is None]

    def settled(self):
        """Whether all has come that may still come. What was on its way from the XMPP server to a gateway
        that was killed may be lost, and does not come later."""
        missing = [message for message in self.missing() if kind(message.pair) != "from_xmpp"]
        return not (missing or self.reports_missing() or self.unanswered())

    def out_of_order(self):
        """Arrivals before which a later message of the same conversation had arrived."""
        count = 0
        for numbers in self.order.values():
            newest = -1
            for number in numbers:
                count += number < newest
                newest = max(newest, number)
        return count

    def verdict(self):
        """Figures by name; see `campaign.py --help` for what they mean."""
        messages = self.messages.values()
        pairs = {"wv": [], "from_xmpp": [], "to_xmpp": []}
        for message in messages:
            pairs[kind(message.pair)].append(message)
        lost = Counter(kind(message.pair) for message in self.missing())
        doubled = Counter()
        for message in messages:
            again = max(0, message.arrivals - 1)
            doubled["by_client" if message.repeated else kind(message.pair)] += again
        return {
            "messages": len(self.messages),
            "arrived": sum(1 for message in messages if message.arrivals),
            "told_failed": sum(1 for m in messages if m.failed() and not m.arrivals),
            "failed_and_arrived": sum(1 for m in messages if m.failed() and m.arrivals),
            "unanswered": len(self.unanswered()),
            "lost": lost["wv"] + lost["to_xmpp"],
            "lost_from_xmpp": lost["from_xmpp"],
            "doubled": doubled["wv"] + doubled["from_xmpp"],
            "repeated_to_xmpp": doubled["to_xmpp"],
            "repeated_by_client": doubled["by_client"],
            "out_of_order": self.out_of_order(),
            "invented": len(self.strangers),
            "recognised": self.recognised,
            "reports_due": sum(
                1 for m in messages if m.wants_report and m.arrivals and m.answer in TAKEN
            ),
            "reports_missing": len(self.reports_missing()),
        }


def kind(pair):
    sender, recipient = pair
    if sender.endswith("@xmpp.test"):
        return "from_xmpp"
    return "to_xmpp" if recipient.endswith("@xmpp.test") else "wv"
