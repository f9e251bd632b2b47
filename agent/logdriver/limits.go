package logdriver

import (
	"errors"
	"fmt"
	"strconv"
)

// Limits are what the options say of the lines that a node keeps, in bytes.
type Limits struct {
	Keep     int64 // how many are kept to be read on the node; negative means all
	Backlog  int64 // how many may wait to be taken; 0 means any number
	Blocking bool  // beyond that the container waits, instead of losing lines
}

// Docker keeps five files of 20 MiB of containers whose driver sends lines elsewhere [D].
const (
	cacheSize = "20m"
	cacheFile = 5
)

// ReadLimits reads mode, max-buffer-size, and how much is kept: of json-file max-size times max-file, of drivers that send the same of
// Docker's cache, without it nothing that has been taken. Lines may wait up to the room of the cache, or of the buffer if that is larger.
func ReadLimits(name string, options map[string]string) (Limits, error) {
	if name == JSONFile {
		return readJSONFile(options)
	}
	size, files, err := sizes(options, "cache-max-size", "cache-max-file", cacheSize, cacheFile)
	if err != nil {
		return Limits{}, err
	}
	l := Limits{Keep: -1, Blocking: options["mode"] == Blocking}
	if size > 0 {
		l.Keep, l.Backlog = size*files, size*files
	}
	if s := options["max-buffer-size"]; s != "" && size > 0 {
		n, err := ParseSize(s)
		if err != nil {
			return Limits{}, fmt.Errorf("error parsing option max-buffer-size: %w", err)
		}
		l.Backlog = max(l.Backlog, n)
	}
	off, err := boolean(options, "cache-disabled", false)
	if off {
		l.Keep = 0
	}
	return l, err
}

// readJSONFile: without max-size all is kept. compress changes nothing: what is not kept is gone, and the rest is read often.
func readJSONFile(options map[string]string) (Limits, error) {
	size, files, err := sizes(options, "max-size", "max-file", "-1", 1)
	if err != nil {
		return Limits{}, err
	}
	compress, err := boolean(options, "compress", false)
	switch {
	case err != nil:
		return Limits{}, err
	case compress && (files < 2 || size < 0):
		return Limits{}, errors.New("compress cannot be true when max-file is less than 2 or max-size is not set")
	case size < 0:
		return Limits{Keep: -1}, nil
	}
	return Limits{Keep: size * files}, nil
}

func sizes(options map[string]string, sizeName, filesName, size string, files int64) (int64, int64, error) {
	if s := options[sizeName]; s != "" {
		size = s
	}
	n := int64(-1)
	if size != "-1" {
		var err error
		if n, err = ParseSize(size); err != nil {
			return 0, 0, fmt.Errorf("invalid value for %s: %w", sizeName, err)
		}
		if n == 0 {
			return 0, 0, fmt.Errorf("%s must be a positive number", sizeName)
		}
	}
	if s := options[filesName]; s != "" {
		var err error
		if files, err = strconv.ParseInt(s, 10, 32); err != nil {
			return 0, 0, fmt.Errorf("invalid value for %s: %w", filesName, err)
		}
		if files < 1 {
			return 0, 0, fmt.Errorf("%s cannot be less than 1", filesName)
		}
	}
	return n, files, nil
}
