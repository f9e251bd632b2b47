package logstore

// A copying is what Since has encoded.
type copying struct {
	ops    []rollOp // made ones with streams of the sender, whose numbers say nothing
	all    bool     // ops are all streams that there are
	at     uint64   // of all
	keys   [][]byte // wrapped
	pieces []piece
	marks  map[string]uint64 // one without a name says that these are all
}

// A piece is events that follow each other in a stream: in clear, or encrypted.
type piece struct {
	placed
	batch   batch  // in clear
	wrapped []byte // what text is encrypted with
	text    []byte
}

func parseCopying(frames []byte) (*copying, error) {
	c := &copying{marks: map[string]uint64{}}
	for len(frames) > 0 {
		payload, ok := nextFrame(frames)
		if !ok {
			return nil, errDamaged
		}
		frames = frames[frameHead+len(payload):]
		if err := c.parse(payload); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *copying) parse(payload []byte) error {
	r := reader{b: payload}
	made := func() {
		s := &stream{name: r.text(), made: r.uint(), createdAt: r.int()}
		c.ops = append(c.ops, rollOp{seq: s.made, made: s})
	}
	switch r.uint() {
	case copyMade:
		made()
	case copyGone:
		op := rollOp{gone: r.text()}
		op.seq = r.uint()
		c.ops = append(c.ops, op)
	case copyStreams:
		c.all, c.at = true, r.uint()
		for n := r.uint(); n > 0 && !r.bad; n-- {
			made()
		}
	case copyEvents:
		name := r.text()
		b, err := parseBatch(r.b)
		if err != nil {
			return err
		}
		return c.take(piece{placed: placed{name, b.before, frameOf(&b).summary}, batch: b})
	case copyKey:
		c.keys = append(c.keys, r.bytes())
	case copyLocked:
		n := r.uint()
		if n == 0 || n > uint64(len(c.keys)) {
			return errDamaged
		}
		p := piece{placed: placed{r.text(), r.uint() - 1, r.summary()}, wrapped: c.keys[n-1]}
		if p.text = r.b; !r.bad {
			return c.take(p)
		}
	case copyMark:
		name := r.text()
		c.marks[name] = r.uint()
	default:
		return errDamaged
	}
	if r.bad {
		return errDamaged
	}
	return nil
}

// take adds events, which come in their order.
func (c *copying) take(p piece) error {
	if p.count < 1 || p.lastSeq() < p.before || len(c.pieces) > 0 && p.before < c.pieces[len(c.pieces)-1].lastSeq() {
		return errDamaged
	}
	c.pieces = append(c.pieces, p)
	return nil
}
