package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxMessage is the longest control message accepted from QEMU.
const maxMessage = 1 << 20

// message is anything QEMU says on its control channel: a greeting, an event,
// or the answer to a command.
type message struct {
	Greeting json.RawMessage `json:"QMP"`
	Event    string          `json:"event"`
	Data     json.RawMessage `json:"data"`
	ID       *uint64         `json:"id"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
}

// parseMessage parses one line of the control channel.
func parseMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("qmp: %w", err)
	}
	if m.Greeting == nil && m.Event == "" && m.Return == nil && m.Error == nil {
		return message{}, errors.New("qmp: expected a greeting, event or answer, got none")
	}
	return m, nil
}

// shutdownReason returns why QEMU says the machine ended, if the event says so.
func (m message) shutdownReason() (string, bool) {
	var data struct {
		Reason string `json:"reason"`
	}
	if m.Event != "SHUTDOWN" || json.Unmarshal(m.Data, &data) != nil {
		return "", false
	}
	return data.Reason, true
}

// monitor is QEMU's control channel (QMP). One command is under way at a time.
type monitor struct {
	conn    io.ReadWriteCloser
	onEvent func(message)
	// answers is closed when QEMU hung up. It is buffered because an answer
	// may come before the one who asked listens.
	answers chan message
	turn    chan uint64 // holds the next command's number while nobody has it
}

// newMonitor returns a monitor whose run method must be started.
func newMonitor(conn io.ReadWriteCloser, onEvent func(message)) *monitor {
	m := &monitor{conn: conn, onEvent: onEvent, answers: make(chan message, 16), turn: make(chan uint64, 1)}
	m.turn <- 1
	return m
}

// run reads the channel until QEMU or something unreadable ends it.
func (m *monitor) run() {
	defer close(m.answers)
	defer m.conn.Close()
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		msg, err := parseMessage(lines.Bytes())
		if err != nil {
			return
		}
		switch {
		case msg.Event != "":
			m.onEvent(msg)
		case msg.ID != nil:
			select {
			case m.answers <- msg:
			default: // nobody has asked for a long time
			}
		}
	}
}

// command executes a command and returns its answer.
func (m *monitor) command(ctx context.Context, name string, arguments any) (json.RawMessage, error) {
	var id uint64
	select {
	case id = <-m.turn:
	case <-ctx.Done():
		return nil, fmt.Errorf("qmp: %s: %w: %w", name, ErrTimeout, context.Cause(ctx))
	}
	defer func() { m.turn <- id + 1 }()
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{name, arguments, id})
	if err != nil {
		return nil, fmt.Errorf("qmp: %s: %w", name, err)
	}
	if _, err := m.conn.Write(append(request, '\n')); err != nil {
		return nil, fmt.Errorf("qmp: %s: %w", name, err)
	}
	return m.answer(ctx, name, id)
}

// answer waits for the answer to command number id.
func (m *monitor) answer(ctx context.Context, name string, id uint64) (json.RawMessage, error) {
	for {
		select {
		case msg, ok := <-m.answers:
			switch {
			case !ok:
				return nil, fmt.Errorf("qmp: %s: %w", name, ErrExited)
			case *msg.ID != id: // to an earlier command that was given up
			case msg.Error != nil:
				return nil, fmt.Errorf("qmp: %s: %w: %s: %s", name, ErrCommand, msg.Error.Class, msg.Error.Desc)
			default:
				return msg.Return, nil
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("qmp: %s: %w: %w", name, ErrTimeout, context.Cause(ctx))
		}
	}
}
